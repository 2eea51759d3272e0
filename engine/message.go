package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Message is one attempt at handling a message.
type Message struct {
	// ID names the message for ever: its sender's database, run and sequence. It is the key to dedupe by.
	ID      string
	Channel string
	Sender  string // the sender's node id
	// Data must not be changed. It stays valid after the handler returned, and keeps its whole batch in memory while it is held.
	Data      []byte
	Headers   []Header
	CreatedAt time.Time // the sender's wall clock, for display
	ExpiresAt time.Time // CreatedAt plus the time to live; zero: never. Expiry itself is counted without wall clocks.
	Seq       uint64    // its sequence in the sender's log
	Attempt   int       // 1 for the first
	LastError string    // why the attempt before failed, if this process knows
	Outgoing  bool      // for taps: this node sent it, rather than handled it

	hops  uint32
	cause wire.Cause

	mu      sync.Mutex
	verdict inbox.Verdict
	decided bool
	over    bool          // the attempt ended without a verdict
	waiter  chan struct{} // closed at the verdict; made only when somebody waits
}

func newMessage(d *inbox.Delivery) *Message {
	m := &Message{Channel: d.Channel, Sender: d.Node, Data: d.Message.Data, CreatedAt: time.UnixMilli(d.Message.Wall), Seq: d.Seq, Attempt: d.Attempt, LastError: d.LastError,
		hops: d.Message.Hops, cause: wire.Cause{Store: d.Sender, Run: d.Run, Seq: d.Seq}}
	var id [64]byte
	m.ID = string(wire.AppendMessageID(id[:0], d.Sender, d.Run, d.Seq))
	if d.Message.TTL > 0 {
		m.ExpiresAt = time.UnixMilli(d.Message.Wall + d.Message.TTL)
	}
	if n := len(d.Message.Headers); n > 0 {
		m.Headers = make([]Header, n)
		for i, h := range d.Message.Headers {
			m.Headers[i] = Header(h)
		}
	}
	return m
}

// Ack says that the message is handled. It may be called after the handler returned, within ACKTimeout; the first verdict counts.
// Acking twice is no error; acking after another verdict or too late gives ErrStale, and the message is handed over again.
func (m *Message) Ack() error { return m.decide(inbox.Verdict{Kind: inbox.Ack}) }

// Nack says that handling failed: the attempt counts, and the next follows after delay, or DeliveryRetryInterval if that is 0.
func (m *Message) Nack(delay time.Duration) error {
	return m.decide(inbox.Verdict{Kind: inbox.Retry, Delay: delay, Reason: "the handler asked for another attempt"})
}

// Reject sends the message to the dead letters.
func (m *Message) Reject(reason string) error {
	return m.decide(inbox.Verdict{Kind: inbox.Dead, Reason: reason})
}

func (m *Message) decide(v inbox.Verdict) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.over:
		return fmt.Errorf("message %s, attempt %d: %w", m.ID, m.Attempt, ErrStale)
	case m.decided && m.verdict.Kind == v.Kind:
		return nil
	case m.decided:
		return fmt.Errorf("message %s, attempt %d: %w", m.ID, m.Attempt, ErrStale)
	}
	m.decided, m.verdict = true, v
	if m.waiter != nil {
		close(m.waiter)
	}
	return nil
}

// wait returns the verdict, or a retry when there is none within the time allowed after the handlers returned.
func (m *Message) wait(ctx context.Context, timeout time.Duration) inbox.Verdict {
	m.mu.Lock()
	if m.decided {
		defer m.mu.Unlock()
		return m.verdict
	}
	m.waiter = make(chan struct{})
	m.mu.Unlock()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	stopped := false
	select {
	case <-m.waiter:
	case <-timer.C:
	case <-ctx.Done():
		stopped = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.decided {
		return m.verdict
	}
	m.over = true
	if stopped {
		return inbox.Verdict{Kind: inbox.Void}
	}
	return inbox.Verdict{Kind: inbox.Retry, Reason: fmt.Sprintf("no verdict within %v after the handler returned", timeout)}
}
