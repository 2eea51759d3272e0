// Package node runs routers as processes for programs that watch them from outside: it starts the real binary, asks it over
// HTTP, and kills it. It never touches a process that it did not start.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/getevo/rmds-router/router/admin"
)

// ErrExited means that a router ended by itself, which none of them is meant to do.
var ErrExited = errors.New("the router ended by itself")

// Options say how one router is run. They stay the same over its restarts.
type Options struct {
	// Name is for messages, and names the log file.
	Name string
	// Binary and Config are the program and its configuration file.
	Binary, Config string
	// Dir is the working folder, from which the configuration's relative paths are taken.
	Dir string
	// Env is added to the environment of this process.
	Env []string
	// HTTP is the address at which the configuration makes the router listen.
	HTTP string
	// Log is the file that its output is appended to.
	Log string
}

// Node is one router, which may be started and killed many times. Its methods may be called from several goroutines.
type Node struct {
	Options
	client *admin.Client

	mu      sync.Mutex
	process *process // nil while it is down
	starts  int
}

// process is one life of a router.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process is gone and err is set
	err    error
}

// New returns a router that is not running yet.
func New(o Options) *Node { return &Node{Options: o, client: admin.NewClient(o.HTTP)} }

// Start starts the process and does not wait until it is of use.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		return fmt.Errorf("start %s: it is running already", n.Name)
	}
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command(n.Binary, "run", "--config", n.Config)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.Dir, log, log
	cmd.Env = append(os.Environ(), n.Env...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		p.err = cmd.Wait()
	}()
	n.process = p
	n.starts++
	return nil
}

// Starts is how often the router was started.
func (n *Node) Starts() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.starts
}

func (n *Node) take() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.process
	n.process = nil
	return p
}

// Kill ends the process at once, as SIGKILL does, and waits until it is gone. A router that is down stays down; one that had
// ended by itself is an ErrExited.
func (n *Node) Kill() error {
	p := n.take()
	if p == nil {
		return nil
	}
	select {
	case <-p.exited:
		return n.ended(p)
	default:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", n.Name, err)
	}
	<-p.exited
	return nil
}

// Stop asks the process to end, waits for it, and requires the exit code 0. What is still running when ctx ends is killed.
func (n *Node) Stop(ctx context.Context) error {
	p := n.take()
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.cmd.Process.Kill() //nolint:errcheck // the error above is the one to report
		<-p.exited
		return fmt.Errorf("stop %s: %w", n.Name, err)
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.cmd.Process.Kill() //nolint:errcheck // it is gone either way
		<-p.exited
		return fmt.Errorf("stop %s: %w", n.Name, ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("stop %s: %w\n%s", n.Name, p.err, n.LogEnd())
	}
	return nil
}

// Fault is nil unless the process has ended by itself.
func (n *Node) Fault() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return nil
	}
	select {
	case <-n.process.exited:
		return n.ended(n.process)
	default:
		return nil
	}
}

func (n *Node) ended(p *process) error {
	return fmt.Errorf("%w: %s (%w)\n%s", ErrExited, n.Name, p.err, n.LogEnd())
}

// LogEnd is the last of what the router wrote, for people.
func (n *Node) LogEnd() string {
	data, err := os.ReadFile(n.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// Await waits until the router answers.
func (n *Node) Await(ctx context.Context) error {
	for {
		_, err := n.Status(ctx)
		if err == nil {
			return nil
		}
		if fault := n.Fault(); fault != nil {
			return fault
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w\n%s", n.Name, err, n.LogEnd())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
