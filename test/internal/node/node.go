// Package node runs routers as processes for programs that watch them from outside: it starts the real binary, asks it over
// HTTP, and kills it. It never touches a process that it did not start.
package node

import (
	"context"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/chaos/child"
)

// ErrExited means that a router ended by itself, which none of them is meant to do.
var ErrExited = child.ErrExited

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
	*child.Child
	HTTP   string
	client *admin.Client
}

// New returns a router that is not running yet.
func New(o Options) *Node {
	return &Node{
		Child: child.New(child.Options{Name: o.Name, Binary: o.Binary, Args: []string{"run", "--config", o.Config}, Dir: o.Dir, Env: o.Env, Log: o.Log}),
		HTTP:  o.HTTP, client: admin.NewClient(o.HTTP),
	}
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

// FreeAddress returns an address on the loopback interface that nothing listens at.
func FreeAddress() (string, error) { return child.FreeAddress() }
