//go:build unix

package child

import (
	"fmt"
	"syscall"
)

// CanPause tells whether Pause works on this system.
const CanPause = true

// Pause stops the process where it stands, as a laptop that is closed does. It keeps its connections and its files.
func (c *Child) Pause() error { return c.signal(syscall.SIGSTOP, "pause") }

// Resume lets a paused process go on.
func (c *Child) Resume() error { return c.signal(syscall.SIGCONT, "resume") }

func (c *Child) signal(s syscall.Signal, what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return fmt.Errorf("%s %s: it is not running", what, c.Name)
	}
	if err := c.process.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%s %s: %w", what, c.Name, err)
	}
	return nil
}
