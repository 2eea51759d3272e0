// Package natsconn is the connection over core NATS.
//
// Every subscription feeds one Go channel that one goroutine reads, because separate callbacks would lose the order between subjects.
// Events go through the same channel. Nothing is buffered for a connection to come. A client that the NATS library gives up is replaced.
package natsconn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// Options say how to connect.
type Options struct {
	Servers []string      // URLs; the scheme may be missing, and one entry may be a list with commas
	Name    string        // of the client, as the server shows it
	Queue   int           // messages that may wait for the handler; 0: 8192
	NATS    []nats.Option // authentication, TLS, an in-process server. Callbacks and reconnecting belong to this package
}

// flushTimeout bounds Flush.
const flushTimeout = 2 * time.Second

// wake stands in the queue for the first of the events that wait.
var wake = new(nats.Msg)

// Conn is a transport.Conn.
type Conn struct {
	options Options
	handler transport.Handler
	queue   chan *nats.Msg
	quit    chan struct{} // closed by Close
	stop    context.CancelFunc
	running sync.WaitGroup

	client  atomic.Pointer[nats.Conn] // nil: not connected
	payload atomic.Int64              // the last known

	mu       sync.Mutex
	started  bool
	closed   bool
	patterns map[string]*nats.Subscription // nil while the client does not know of it
	events   []transport.Event
	lost     map[string]uint64    // per pattern: lost messages told
	denied   map[string]time.Time // when each was last told
	failure  string               // the last told
}

var _ transport.Conn = (*Conn)(nil)

// New returns a connection that has not started.
func New(o Options) *Conn {
	if o.Queue <= 0 {
		o.Queue = 8192
	}
	return &Conn{
		options:  o,
		queue:    make(chan *nats.Msg, o.Queue),
		quit:     make(chan struct{}),
		patterns: map[string]*nats.Subscription{},
		lost:     map[string]uint64{},
		denied:   map[string]time.Time{},
	}
}

// Start is described at transport.Conn.
func (c *Conn) Start(h transport.Handler) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return transport.ErrClosed
	}
	if c.started {
		return transport.ErrStarted
	}
	ctx, stop := context.WithCancel(context.Background())
	options, err := c.clientOptions(ctx)
	if err != nil {
		stop()
		return err
	}
	c.started, c.handler, c.stop = true, h, stop
	c.running.Go(func() { c.connect(ctx, options) })
	c.running.Go(c.deliver)
	return nil
}

// Subscribe is described at transport.Conn.
func (c *Conn) Subscribe(pattern string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return transport.ErrClosed
	}
	if _, ok := c.patterns[pattern]; ok {
		return nil
	}
	c.patterns[pattern] = nil
	nc := c.client.Load()
	if nc == nil {
		return nil
	}
	return c.place(nc, pattern)
}

// place makes a subscription known to the client. If the client has just been lost, the next one gets it. c.mu is held.
func (c *Conn) place(nc *nats.Conn, pattern string) error {
	sub, err := nc.ChanSubscribe(pattern, c.queue)
	if err != nil && !gone(err) {
		delete(c.patterns, pattern)
		return fmt.Errorf("subscribe to %s: %w", pattern, err)
	}
	if err == nil {
		c.patterns[pattern] = sub
	}
	return nil
}

// Unsubscribe is described at transport.Conn.
func (c *Conn) Unsubscribe(pattern string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub := c.patterns[pattern]
	delete(c.patterns, pattern)
	delete(c.lost, pattern)
	if sub == nil {
		return nil
	}
	if err := sub.Unsubscribe(); err != nil && !gone(err) {
		return fmt.Errorf("unsubscribe from %s: %w", pattern, err)
	}
	return nil
}

// Publish is described at transport.Conn.
func (c *Conn) Publish(subject string, data []byte) error {
	nc := c.client.Load()
	if nc == nil {
		return c.absent()
	}
	err := nc.Publish(subject, data)
	switch {
	case err == nil:
		return nil
	case gone(err):
		return transport.ErrDisconnected
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("publish %d bytes to %s: %w", len(data), subject, transport.ErrTooLarge)
	}
	return fmt.Errorf("publish to %s: %w", subject, err)
}

// absent says why there is no client.
func (c *Conn) absent() error {
	select {
	case <-c.quit:
		return transport.ErrClosed
	default:
		return transport.ErrDisconnected
	}
}

// gone says whether err means that the client has no connection.
func gone(err error) bool {
	return errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrInvalidConnection) || errors.Is(err, nats.ErrBadSubscription)
}

// Flush is described at transport.Conn.
func (c *Conn) Flush() error {
	nc := c.client.Load()
	if nc == nil {
		return c.absent()
	}
	err := nc.FlushTimeout(flushTimeout)
	if err == nil {
		return nil
	}
	if gone(err) {
		return transport.ErrDisconnected
	}
	return fmt.Errorf("flush: %w", err)
}

// MaxPayload is described at transport.Conn.
func (c *Conn) MaxPayload() int {
	if nc := c.client.Load(); nc != nil {
		c.payload.Store(nc.MaxPayload())
	}
	return int(c.payload.Load())
}

// Connected is described at transport.Conn.
func (c *Conn) Connected() bool { return c.client.Load() != nil }

// Close is described at transport.Conn.
func (c *Conn) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.quit)
		if c.stop != nil {
			c.stop()
		}
	}
	c.mu.Unlock()
	c.running.Wait()
}
