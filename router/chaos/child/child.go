// Package child runs programs that are meant to be killed, paused and started again by whoever watches them. It never touches a
// process that it did not start.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// ErrExited means that a program ended by itself, which none of them is meant to do.
var ErrExited = errors.New("the program ended by itself")

// Options say how one program is run. They stay the same over its restarts.
type Options struct {
	// Name is for messages.
	Name string
	// Binary is the program and Args its arguments.
	Binary string
	Args   []string
	// Dir is the working folder.
	Dir string
	// Env is added to the environment of this process.
	Env []string
	// Log is the file that its output is appended to.
	Log string
}

// Child is one program, which may be started and killed many times. Its methods may be called from several goroutines.
type Child struct {
	Options

	mu      sync.Mutex
	process *process // nil while it is down
	starts  int
}

// process is one life of a program.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process is gone and err is set
	err    error
}

// New returns a program that is not running yet.
func New(o Options) *Child { return &Child{Options: o} }

// Start starts the process and does not wait until it is of use. A signal from the terminal does not reach it, and where the system
// can do that (Linux), it dies with this process.
func (c *Child) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		return fmt.Errorf("start %s: it is running already", c.Name)
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command(c.Binary, c.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, log, log
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = apart()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.Name, err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() { // ends with the process, which Kill and Stop wait for
		defer close(p.exited)
		p.err = cmd.Wait()
	}()
	c.process = p
	c.starts++
	return nil
}

// Starts is how often the program was started.
func (c *Child) Starts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.starts
}

func (c *Child) take() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.process
	c.process = nil
	return p
}

// Kill ends the process at once, as SIGKILL does, and waits until it is gone. A program that is down stays down; one that had
// ended by itself is an ErrExited.
func (c *Child) Kill() error {
	p := c.take()
	if p == nil {
		return nil
	}
	select {
	case <-p.exited:
		return c.ended(p)
	default:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", c.Name, err)
	}
	<-p.exited
	return nil
}

// Stop asks the process to end, waits for it, and requires the exit code 0. What is still running when ctx ends is killed.
func (c *Child) Stop(ctx context.Context) error {
	p := c.take()
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.cmd.Process.Kill() //nolint:errcheck // the error above is the one to report
		<-p.exited
		return fmt.Errorf("stop %s: %w", c.Name, err)
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.cmd.Process.Kill() //nolint:errcheck // it is gone either way
		<-p.exited
		return fmt.Errorf("stop %s: %w", c.Name, ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("stop %s: %w\n%s", c.Name, p.err, c.LogEnd())
	}
	return nil
}

// Interrupt asks the process to end, as Ctrl-C does, and does not wait for that.
func (c *Child) Interrupt() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return fmt.Errorf("stop %s: it is not running", c.Name)
	}
	if err := c.process.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", c.Name, err)
	}
	return nil
}

// Exited waits until the process ends by itself, takes it as down, and returns its exit code: -1 if a signal ended it.
func (c *Child) Exited(ctx context.Context) (code int, err error) {
	c.mu.Lock()
	p := c.process
	c.mu.Unlock()
	if p == nil {
		return 0, fmt.Errorf("wait for the end of %s: it is not running", c.Name)
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for the end of %s: %w", c.Name, ctx.Err())
	}
	c.mu.Lock()
	if c.process == p {
		c.process = nil
	}
	c.mu.Unlock()
	return p.cmd.ProcessState.ExitCode(), nil
}

// Fault is nil unless the process has ended by itself.
func (c *Child) Fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return nil
	}
	select {
	case <-c.process.exited:
		return c.ended(c.process)
	default:
		return nil
	}
}

func (c *Child) ended(p *process) error {
	return fmt.Errorf("%w: %s (%w)\n%s", ErrExited, c.Name, p.err, c.LogEnd())
}

// LogEnd is the last of what the program wrote, for people.
func (c *Child) LogEnd() string {
	data, err := os.ReadFile(c.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
