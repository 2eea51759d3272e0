// Package pool makes one connection of several, so that what goes between this node and its peers is spread over them: everything to and
// from one peer uses one of them, chosen by the peer's name, and so keeps its order. The first carries all that is for no peer in particular.
//
// The pool is connected while all of them are: whoever stands behind it sees one connection, which is lost with the first and back with
// the last. In one thing it differs from transport.Handler: messages of different peers are handed over by several goroutines at a time.
package pool

import (
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// Peer names the peer that a subject or a pattern belongs to; false: none in particular.
type Peer func(subject string) (name string, ok bool)

// Conn is a transport.Conn.
type Conn struct {
	conns    []transport.Conn
	to, from Peer
	all      atomic.Bool // connected, all of them

	mu      sync.Mutex // held while the handler takes an event, so that it gets one at a time
	handler transport.Handler
	up      []bool
	closed  int
}

var _ transport.Conn = (*Conn)(nil)

// New returns a pool of connections that have not started. To reads subjects that are published, from patterns that are subscribed to.
func New(conns []transport.Conn, to, from Peer) *Conn {
	return &Conn{conns: conns, to: to, from: from, up: make([]bool, len(conns))}
}

// one is the connection that a subject or pattern goes by.
func (c *Conn) one(of Peer, subject string) transport.Conn {
	name, ok := of(subject)
	if !ok {
		return c.conns[0]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // it never fails
	return c.conns[h.Sum32()%uint32(len(c.conns))]
}

// Start is described at transport.Conn.
func (c *Conn) Start(h transport.Handler) error {
	c.mu.Lock()
	if c.handler == nil {
		c.handler = h
	}
	c.mu.Unlock()
	for i, conn := range c.conns {
		if err := conn.Start(&handler{c, i}); err != nil {
			return err
		}
	}
	return nil
}

// handler is what one of the connections has to tell.
type handler struct {
	pool *Conn
	nth  int
}

func (h *handler) Receive(subject string, data []byte) { h.pool.handler.Receive(subject, data) }

func (h *handler) Event(e transport.Event) {
	c := h.pool
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Kind {
	case transport.Connected, transport.Disconnected:
		c.up[h.nth] = e.Kind == transport.Connected
		all := !slices.Contains(c.up, false)
		if c.all.Swap(all) == all && !(all && e.Kind == transport.Connected) {
			return // another is still missing
		}
	case transport.Closed:
		c.all.Store(false)
		if c.closed++; c.closed < len(c.conns) {
			return
		}
	case transport.Failed, transport.Denied, transport.Overrun:
	}
	c.handler.Event(e)
}

// Subscribe is described at transport.Conn.
func (c *Conn) Subscribe(pattern string) error { return c.one(c.from, pattern).Subscribe(pattern) }

// Unsubscribe is described at transport.Conn.
func (c *Conn) Unsubscribe(pattern string) error { return c.one(c.from, pattern).Unsubscribe(pattern) }

// Publish is described at transport.Conn.
func (c *Conn) Publish(subject string, data []byte) error {
	return c.one(c.to, subject).Publish(subject, data)
}

// Flush is described at transport.Conn.
func (c *Conn) Flush() error {
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Flush())
	}
	return errors.Join(errs...)
}

// MaxPayload is the least of those that are known.
func (c *Conn) MaxPayload() int {
	least := 0
	for _, conn := range c.conns {
		if n := conn.MaxPayload(); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// Connected is described at transport.Conn.
func (c *Conn) Connected() bool { return c.all.Load() }

// Close is described at transport.Conn.
func (c *Conn) Close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}
