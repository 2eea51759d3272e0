package memconn

import (
	"slices"
	"strings"
	"sync"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// conn is one end of the network. The network's lock guards all of it.
type conn struct {
	network  *Network
	name     string
	patterns []string
	running  sync.WaitGroup

	started, closed, up bool
	age                 uint64 // how often it has been disconnected
	wake                sync.Cond
	queue               []item
	waiting             int    // messages in the queue
	lost                uint64 // messages that found the queue full and were not told of
	slow                bool   // the last one did
}

// item is a message or an event for the handler.
type item struct {
	subject string
	data    []byte
	event   transport.Event // if it has a kind
}

func (c *conn) Start(h transport.Handler) error {
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.closed {
		return transport.ErrClosed
	}
	if c.started {
		return transport.ErrStarted
	}
	c.started = true
	n.conns = append(n.conns, c)
	c.settle()
	c.running.Go(func() { c.deliver(h) })
	return nil
}

// settle connects or disconnects as the network's state asks for.
func (c *conn) settle() {
	up := !c.network.down && !c.network.off[c.name]
	if up == c.up {
		return
	}
	c.up = up
	if up {
		c.tell(transport.Event{Kind: transport.Connected, Server: "memory"})
		return
	}
	c.age++
	c.tell(transport.Event{Kind: transport.Disconnected})
}

func (c *conn) tell(e transport.Event) {
	c.queue = append(c.queue, item{event: e})
	c.wake.Signal()
}

// arrive puts a message in the queue if there is room.
func (c *conn) arrive(pattern string, m item) {
	if c.waiting >= c.network.queue {
		c.lost++
		if !c.slow {
			c.slow = true
			c.tell(transport.Event{Kind: transport.Overrun, Subject: pattern, Count: c.lost})
			c.lost = 0
		}
		return
	}
	c.slow = false
	c.network.counts.Delivered++
	c.waiting++
	c.queue = append(c.queue, m)
	c.wake.Signal()
}

// deliver is the goroutine that calls the handler.
func (c *conn) deliver(h transport.Handler) {
	for {
		m, ok := c.next()
		switch {
		case !ok:
			h.Event(transport.Event{Kind: transport.Closed})
			return
		case m.event.Kind != 0:
			h.Event(m.event)
		default:
			h.Receive(m.subject, m.data)
		}
	}
}

// next waits for something to tell the handler; false once the connection is closed.
func (c *conn) next() (item, bool) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	for len(c.queue) == 0 && !c.closed {
		c.wake.Wait()
	}
	if c.closed {
		return item{}, false
	}
	m := c.queue[0]
	c.queue = c.queue[1:]
	if m.event.Kind == 0 {
		c.waiting--
	}
	return m, true
}

func (c *conn) Subscribe(pattern string) error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.closed {
		return transport.ErrClosed
	}
	if !slices.Contains(c.patterns, pattern) {
		c.patterns = append(c.patterns, pattern)
	}
	return nil
}

func (c *conn) Unsubscribe(pattern string) error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	c.patterns = slices.DeleteFunc(c.patterns, func(p string) bool { return p == pattern })
	return nil
}

func (c *conn) Publish(subject string, data []byte) error {
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case c.closed:
		return transport.ErrClosed
	case !c.up:
		return transport.ErrDisconnected
	case len(data) > n.payload:
		return transport.ErrTooLarge
	}
	for _, pattern := range n.denied[c.name] {
		if match(pattern, subject) {
			c.tell(transport.Event{Kind: transport.Denied, Subject: subject})
			return nil
		}
	}
	n.counts.Published++
	for _, to := range n.conns {
		if !to.up {
			continue
		}
		for _, pattern := range to.patterns {
			if match(pattern, subject) {
				n.send(c, to, pattern, subject, data)
			}
		}
	}
	n.land()
	return nil
}

// match says whether a subject matches a pattern.
func match(pattern, subject string) bool {
	for {
		p, goOn := strings.IndexByte(pattern, '.'), true
		if p < 0 {
			p, goOn = len(pattern), false
		}
		if !goOn && pattern == ">" {
			return subject != ""
		}
		s, ok := strings.IndexByte(subject, '.'), true
		if s < 0 {
			s, ok = len(subject), false
		}
		if pattern[:p] != "*" && pattern[:p] != subject[:s] || s == 0 || goOn != ok {
			return false
		}
		if !goOn {
			return true
		}
		pattern, subject = pattern[p+1:], subject[s+1:]
	}
}

func (c *conn) Flush() error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	switch {
	case c.closed:
		return transport.ErrClosed
	case !c.up:
		return transport.ErrDisconnected
	}
	return nil
}

func (c *conn) MaxPayload() int {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if !c.up && c.age == 0 {
		return 0
	}
	return c.network.payload
}

func (c *conn) Connected() bool {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	return c.up
}

func (c *conn) Close() {
	n := c.network
	n.mu.Lock()
	if !c.closed {
		c.closed, c.up = true, false
		c.age++
		c.queue = nil
		n.conns = slices.DeleteFunc(n.conns, func(other *conn) bool { return other == c })
		if len(n.conns) == 0 {
			n.transit = nil
		}
		n.land()
		c.wake.Broadcast()
	}
	n.mu.Unlock()
	c.running.Wait()
}
