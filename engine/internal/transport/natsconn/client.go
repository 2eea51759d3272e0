package natsconn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// What a client is made with. A connection that takes no bytes, or answers no ping, counts as lost after about ten seconds.
const (
	dialTimeout  = 2 * time.Second
	writeTimeout = 5 * time.Second
	pingInterval = 5 * time.Second
	pingsOut     = 2
	firstWait    = 250 * time.Millisecond
	longestWait  = 2 * time.Second
)

// dialer dials until its context ends, so that Close does not wait for servers that do not answer.
type dialer struct {
	ctx context.Context
	net.Dialer
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(d.ctx, network, address)
}

// clientOptions puts together the options of every client of this connection, and finds those that cannot work.
func (c *Conn) clientOptions(ctx context.Context) (nats.Options, error) {
	o := nats.GetDefaultOptions()
	servers, err := serverURLs(c.options.Servers)
	if err != nil {
		return o, err
	}
	o.Servers = servers
	o.Name = c.options.Name
	o.Timeout = dialTimeout
	o.FlusherTimeout = writeTimeout
	o.PingInterval = pingInterval
	o.MaxPingsOut = pingsOut
	for _, option := range c.options.NATS {
		if err := option(&o); err != nil {
			return o, fmt.Errorf("NATS option: %w", err)
		}
	}
	if o.CustomDialer == nil {
		o.CustomDialer = &dialer{ctx, net.Dialer{Timeout: o.Timeout}}
	}
	o.AllowReconnect = true
	o.RetryOnFailedConnect = true
	o.MaxReconnect = -1
	o.ReconnectBufSize = -1
	o.CustomReconnectDelayCB = wait
	o.ConnectedCB = c.up
	o.ReconnectedCB = c.up
	o.DisconnectedErrCB = c.down
	o.ReconnectErrCB = func(_ *nats.Conn, err error) { c.failed(err) }
	o.AsyncErrorCB = c.trouble
	return o, nil
}

// wait is the pause before a round of attempts on all servers: doubling, and jittered, so that a fleet does not come back all at once.
func wait(round int) time.Duration {
	d := min(firstWait<<min(max(round-1, 0), 8), longestWait)
	return d/2 + rand.N(d/2)
}

func serverURLs(list []string) ([]string, error) {
	var urls []string
	for _, entry := range list {
		for s := range strings.SplitSeq(entry, ",") {
			if s = strings.TrimSpace(s); s == "" {
				continue
			}
			full := s
			if !strings.Contains(full, "://") {
				full = "nats://" + full
			}
			u, err := url.Parse(full)
			if err != nil || u.Hostname() == "" {
				return nil, fmt.Errorf("%w: %q", transport.ErrServer, redact(s))
			}
			urls = append(urls, full)
		}
	}
	return urls, nil
}

// redact leaves out what stands before an '@', which may be a password.
func redact(s string) string { return s[strings.LastIndexByte(s, '@')+1:] }

// connect keeps a client until ctx ends. The library itself reconnects; but it closes the client after errors of the server that it does not
// know, and when a server refuses the credentials twice. Then this starts over with a new one.
func (c *Conn) connect(ctx context.Context, o nats.Options) {
	for round := 1; ; round++ {
		ended := make(chan struct{})
		end := sync.OnceFunc(func() { close(ended) })
		o.ClosedCB = func(*nats.Conn) { end() }
		nc, err := o.Connect()
		if err != nil {
			c.failed(err)
		} else {
			select {
			case <-ended:
			case <-ctx.Done():
				nc.Close()
				<-ended
			}
			if c.forget(nc) {
				c.post(transport.Event{Kind: transport.Disconnected, Err: nc.LastError()})
			}
		}
		select {
		case <-time.After(wait(round)):
		case <-ctx.Done():
			return
		}
	}
}

// forget makes nc no longer the client, nor the one that subscriptions are placed with; false: it was not.
func (c *Conn) forget(nc *nats.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for pattern := range c.patterns {
		c.patterns[pattern] = nil
	}
	clear(c.lost)
	return c.client.CompareAndSwap(nc, nil)
}

// up makes nc the client after it has connected: it places what was subscribed to in the meantime.
func (c *Conn) up(nc *nats.Conn) {
	c.mu.Lock()
	c.payload.Store(nc.MaxPayload())
	c.failure = ""
	for pattern, sub := range c.patterns {
		if sub == nil {
			if err := c.place(nc, pattern); err != nil {
				c.events = append(c.events, transport.Event{Kind: transport.Denied, Subject: pattern, Err: err})
				defer c.nudge()
			}
		}
	}
	c.client.Store(nc)
	c.mu.Unlock()
	c.post(transport.Event{Kind: transport.Connected, Server: nc.ConnectedUrlRedacted()})
}

func (c *Conn) down(nc *nats.Conn, err error) {
	if c.client.CompareAndSwap(nc, nil) {
		c.post(transport.Event{Kind: transport.Disconnected, Err: err})
	}
}
