package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// consumer is what handles a channel's messages: callbacks, or one transactional handler.
type consumer struct {
	mu        sync.Mutex
	attached  bool
	exclusive bool
	callbacks []func(*Message)
}

// OnMessage registers a callback for the channel's messages; from the first one on, messages flow. It is called for one message at a time
// (see ParallelSenders) and must give, or have given by somebody else within ACKTimeout after it returned, a verdict: Ack, Nack or Reject. Several callbacks run in the
// order of their registration; the first verdict counts.
func (ch *Channel) OnMessage(f func(*Message)) error {
	if err := ch.readable(); err != nil {
		return err
	}
	c := &ch.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.exclusive {
		return fmt.Errorf("channel %s: %w", ch.name, ErrConsumer)
	}
	c.callbacks = append(c.callbacks[:len(c.callbacks):len(c.callbacks)], f)
	if c.attached {
		return nil
	}
	return ch.attach(ch.callBack)
}

// Verdict is how a transactional handler ends a message.
type Verdict uint8

const (
	// Ack handles the message; the Result's effects commit with it.
	Ack Verdict = iota
	// Retry counts the attempt; effects are discarded.
	Retry
	// Dead sends the message to the dead letters; effects are discarded.
	Dead
	// Stop gives no verdict because the context ended: nothing is counted, the message comes again.
	Stop
	// Hold gives no verdict because something that the handler needs is away: nothing is counted, and the message comes again after Delay, as often as it
	// takes; what is behind it waits, and its sender is told that the lane is blocked. For what is wrong with the message itself there is Retry.
	Hold
)

// Result is what a transactional handler returns.
type Result struct {
	Verdict Verdict
	Delay   time.Duration // before the next attempt; 0: DeliveryRetryInterval
	Reason  string        // of a Retry, Dead or Hold
	Effects Effects       // of an Ack
	// Queued, if set, is called once, as soon as the effects have their place in the order of commits (or are discarded).
	Queued func()
	// Settled, if set, is called once: with nil when the effects are durable, with an error when they are discarded or the store failed.
	// It must not block.
	Settled func(error)
}

// Effects are messages and state that commit together.
type Effects struct {
	Emits []Emit
	State []StateChange
}

// Emit is a message to send, on a channel that is joined for writing.
type Emit struct {
	Channel string
	Data    []byte
	Headers []Header
	TTL     time.Duration // as Outgoing.TTL, counted from when it is sent
	Delay   time.Duration // it is sent, and gets its place in the order, this much later in this node's running time
}

// maxState bounds a key and its value together, in bytes.
const maxState = 8 << 20

// StateChange sets a key of a namespace, or deletes it if Value is nil.
type StateChange struct {
	Namespace  string
	Key, Value []byte
}

// Handle sets the channel's transactional handler, its only consumer. What the Result holds commits in one transaction with the
// message's acknowledgement: it happens exactly once, however often the handler runs.
//
// The next message may be handed over before this transaction is durable. A handler that reads a key, changes it and writes it back must therefore keep the
// value in memory too, as the example does: State does not have it yet. Plugins need not, for their keys include what is on its way.
func (ch *Channel) Handle(f func(ctx context.Context, m *Message) Result) error {
	if err := ch.readable(); err != nil {
		return err
	}
	c := &ch.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attached {
		return fmt.Errorf("channel %s: %w", ch.name, ErrConsumer)
	}
	c.exclusive = true
	return ch.attach(func(ctx context.Context, d *inbox.Delivery) inbox.Verdict {
		m := newMessage(d)
		v := ch.verdict(m, f(ctx, m))
		ch.tapHandled(m, v.Kind)
		return v
	})
}

// AckUnhandled acknowledges every message of the channel without a handler; taps see them.
func (ch *Channel) AckUnhandled() error {
	return ch.Handle(func(context.Context, *Message) Result { return Result{} })
}

func (ch *Channel) readable() error {
	if err := ch.usable(); err != nil {
		return err
	}
	if ch.mode&ReadOnly == 0 {
		return fmt.Errorf("handle messages of channel %s, joined as %s: %w", ch.name, ch.mode, ErrRole)
	}
	return nil
}

// attach runs under the consumer's lock.
func (ch *Channel) attach(c inbox.Consumer) error {
	if err := ch.c.node.Attach(ch.name, c); err != nil {
		return fmt.Errorf("channel %s: %w", ch.name, publicError(err))
	}
	ch.consumer.attached = true
	return nil
}

func (ch *Channel) callBack(ctx context.Context, d *inbox.Delivery) inbox.Verdict {
	m := newMessage(d)
	ch.consumer.mu.Lock()
	callbacks := ch.consumer.callbacks
	ch.consumer.mu.Unlock()
	if planted.Overlap {
		return ch.hurry(ctx, m, callbacks)
	}
	for _, f := range callbacks {
		f(m)
	}
	v := m.wait(ctx, ch.c.config.ACKTimeout)
	ch.tapHandled(m, v.Kind)
	return v
}

// verdict turns a handler's result into what the inbox commits. A result that cannot be committed is a failed attempt.
func (ch *Channel) verdict(m *Message, r Result) inbox.Verdict {
	v := inbox.Verdict{Delay: r.Delay, Reason: r.Reason, Queued: r.Queued, Settled: r.Settled}
	switch r.Verdict {
	case Ack:
		v.Kind = inbox.Ack
	case Retry:
		v.Kind = inbox.Retry
		return v
	case Stop:
		v.Kind, v.Reason = inbox.Void, ""
		return v
	case Hold:
		v.Kind = inbox.Void
		if v.Reason == "" {
			v.Reason = "its handler holds it"
		}
		return v
	default:
		v.Kind = inbox.Dead
		return v
	}
	segments, state, delayed, err := ch.c.effects(r.Effects, m)
	switch {
	case errors.Is(err, ErrHopLimit), errors.Is(err, ErrTooLarge):
		v.Kind, v.Reason = inbox.Dead, err.Error()
	case err != nil:
		v.Kind, v.Reason = inbox.Retry, err.Error()
	}
	v.Segments, v.State = segments, state
	if delayed {
		v.Settled = ch.c.afterDelay(r.Settled)
	}
	return v
}

// afterDelay wraps a Settled callback of effects that hold delayed emits.
func (c *Connection) afterDelay(settled func(error)) func(error) {
	return func(err error) {
		c.node.DelayChanged()
		if settled != nil {
			settled(err)
		}
	}
}

// effects encodes what is to commit together. Cause is the message whose handling asked for it, nil if none did.
func (c *Connection) effects(e Effects, cause *Message) (segments []store.Segment, state []store.StateChange, delayed bool, err error) {
	for _, s := range e.State {
		if s.Namespace == "" || s.Namespace[0] == 0 {
			return nil, nil, false, fmt.Errorf("state namespace %q: %w: it is empty or reserved", s.Namespace, ErrName)
		}
		if n := len(s.Key) + len(s.Value); n > maxState {
			return nil, nil, false, fmt.Errorf("state of %d bytes in %s, the most is %d: %w", n, s.Namespace, maxState, ErrTooLarge)
		}
		state = append(state, store.StateChange(s))
	}
	emits := make([]outbox.Emit, 0, len(e.Emits))
	for i := range e.Emits {
		var out outbox.Emit
		if err := c.emit(&out, &e.Emits[i], cause, uint32(i)); err != nil {
			return nil, nil, false, err
		}
		if e.Emits[i].Delay <= 0 {
			emits = append(emits, out)
			continue
		}
		change, err := c.node.Delay(out, e.Emits[i].Delay)
		if errors.Is(err, outbox.ErrTooLarge) {
			return nil, nil, false, fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		if err != nil {
			return nil, nil, false, err
		}
		state, delayed = append(state, change), true
	}
	segments, err = c.node.Outbox().Segments(emits)
	if err != nil {
		if errors.Is(err, outbox.ErrTooLarge) {
			return nil, nil, false, fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		return nil, nil, false, publicError(err)
	}
	for i := range emits {
		if c.taps.watched(emits[i].Channel) {
			c.tapSent(emits[i].Channel, []wire.Message{emits[i].Message})
		}
	}
	return segments, state, delayed, nil
}

func (c *Connection) emit(out *outbox.Emit, e *Emit, cause *Message, index uint32) error {
	ch := c.Channel(e.Channel)
	if ch == nil {
		return fmt.Errorf("emit to channel %s: %w: it is not joined", e.Channel, ErrRole)
	}
	if err := ch.writable(); err != nil {
		return err
	}
	out.Channel = e.Channel
	if err := c.encode(&out.Message, e.Data, e.Headers, e.TTL); err != nil {
		return fmt.Errorf("emit to channel %s: %w", e.Channel, err)
	}
	if cause != nil {
		if cause.hops >= uint32(c.config.HopLimit) {
			return fmt.Errorf("emit to channel %s after %d handlers: %w", e.Channel, cause.hops, ErrHopLimit)
		}
		why := cause.cause
		why.Index = index
		out.Message.Cause, out.Message.Hops = &why, cause.hops+1
	}
	return nil
}

// Commit makes messages and state durable in one transaction and returns when they are. The queue limit of readers does not apply;
// StorageMaxSize does. If ctx ends first, the error wraps ErrUnknown and ctx's: the effects may yet be stored. Queued, if not nil, is called
// as soon as the effects have their place in the order of commits, or are refused.
func (c *Connection) Commit(ctx context.Context, e Effects, queued func()) (Committed, error) {
	if err := ctx.Err(); err != nil {
		if queued != nil {
			queued()
		}
		return Committed{}, fmt.Errorf("commit: nothing was stored: %w", err)
	}
	segments, state, delayed, err := c.effects(e, nil)
	if err != nil {
		if queued != nil {
			queued()
		}
		return Committed{}, err
	}
	done := make(chan error, 1)
	c.node.Store().Submit(&store.Tx{Segments: segments, State: state, Done: func(err error) {
		if err != nil {
			c.node.Outbox().Release(segments)
		} else if delayed {
			c.node.DelayChanged()
		}
		done <- err
	}})
	if queued != nil {
		queued()
	}
	select {
	case err := <-done:
		return Committed{c, segments}, publicError(err)
	case <-ctx.Done():
		return Committed{}, fmt.Errorf("%w: the effects may yet be stored: %w", ErrUnknown, ctx.Err())
	}
}

// Committed tells the ids of what a Commit sent.
type Committed struct {
	c        *Connection
	segments []store.Segment
}

// ID is the id of the nth emit without a delay, from 0; empty if there are not as many.
func (r Committed) ID(n int) string {
	for _, s := range r.segments {
		if n < s.Count {
			return r.c.messageID(s.First + uint64(n))
		}
		n -= s.Count
	}
	return ""
}

// State reads durable state.
type State struct{ store *store.Store }

// State reads what Effects have made durable; see Channel.Handle for what that leaves out.
func (c *Connection) State() State { return State{c.node.Store()} }

// Get returns the value of a key, and whether there is one.
func (s State) Get(namespace string, key []byte) ([]byte, bool, error) {
	v, ok, err := s.store.Get(namespace, key)
	return v, ok, publicError(err)
}

// Next returns the least key after a key, in the order of bytes; after nil it is the first.
func (s State) Next(namespace string, after []byte) ([]byte, bool, error) {
	p, ok, err := s.store.Next(namespace, after)
	return p.Key, ok, publicError(err)
}
