package natsconn

import (
	"errors"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// deliver is the goroutine that calls the handler.
func (c *Conn) deliver() {
	for {
		select {
		case <-c.quit:
			c.finish()
			return
		case m := <-c.queue:
			if m != wake {
				c.handler.Receive(m.Subject, m.Data)
			} else if e, ok := c.nextEvent(); ok {
				c.handler.Event(e)
			}
		}
	}
}

// finish tells the handler that it was the last of it.
func (c *Conn) finish() {
	c.client.Store(nil)
	c.handler.Event(transport.Event{Kind: transport.Closed})
}

// post puts an event in line behind the messages that have arrived. It waits for room; only NATS's callback goroutine and the connecting
// one call it, so messages still come in, or get lost, meanwhile.
func (c *Conn) post(e transport.Event) {
	c.mu.Lock()
	c.events = append(c.events, e)
	c.mu.Unlock()
	c.nudge()
}

func (c *Conn) nudge() {
	select {
	case c.queue <- wake:
	case <-c.quit:
	}
}

func (c *Conn) nextEvent() (transport.Event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) == 0 {
		return transport.Event{}, false
	}
	e := c.events[0]
	c.events = c.events[1:]
	return e, true
}

// failed tells of a failure to connect, once for each change of its cause.
func (c *Conn) failed(err error) {
	c.mu.Lock()
	same := c.failure == err.Error()
	c.failure = err.Error()
	c.mu.Unlock()
	if !same {
		c.post(transport.Event{Kind: transport.Failed, Err: err})
	}
}

// trouble takes the errors that do not end a connection.
func (c *Conn) trouble(_ *nats.Conn, sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer) && sub != nil:
		if n := c.newlyLost(sub); n > 0 {
			c.post(transport.Event{Kind: transport.Overrun, Subject: sub.Subject, Count: n})
		}
	case errors.Is(err, nats.ErrPermissionViolation):
		if subject := deniedSubject(err); c.mayTell(subject) {
			c.post(transport.Event{Kind: transport.Denied, Subject: subject, Err: err})
		}
	default:
		c.failed(err)
	}
}

// newlyLost is how many messages sub has lost since this was asked last.
func (c *Conn) newlyLost(sub *nats.Subscription) uint64 {
	dropped, err := sub.Dropped()
	if err != nil || dropped < 0 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := uint64(dropped) - c.lost[sub.Subject]
	c.lost[sub.Subject] = uint64(dropped)
	return n
}

// The most subjects whose last denial is remembered, and how long each stays quiet.
const (
	deniedRemembered = 1024
	deniedQuiet      = time.Second
)

func (c *Conn) mayTell(subject string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.denied[subject]) < deniedQuiet {
		return false
	}
	if len(c.denied) >= deniedRemembered {
		clear(c.denied)
	}
	c.denied[subject] = now
	return true
}

var denial = regexp.MustCompile(`(?i)(?:Publish|Subscription) to "(\S+?)"`)

// deniedSubject finds the subject in the server's text; empty if it says none.
func deniedSubject(err error) string {
	if m := denial.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}
