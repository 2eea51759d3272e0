package sim

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// consumer handles one channel of one run.
type consumer struct {
	run  *run
	join joinPlan
}

// behaviour is what a handler does with one attempt at one message.
type behaviour struct {
	kind  Kind // the verdict; 0: none
	busy  time.Duration
	later time.Duration // after it returned, for callbacks
	delay time.Duration // before the next attempt
}

func (c *consumer) behaviour(key string, attempt int) (b behaviour) {
	b.kind = Acked
	if c.run.n.w.plan.steady {
		return c.steady(key, attempt)
	}
	draw := keyed(c.run.n.w.seed, c.run.n.plan.id, c.join.channel, key, strconv.Itoa(attempt))
	switch roll := draw.IntN(100); {
	case roll < 4:
		b.busy = time.Duration(draw.IntN(2000)) * time.Millisecond
	case roll < 5:
		b.busy = 15 * time.Second // longer than the acknowledgement timeout
	case roll < 9:
		b.later = time.Duration(draw.IntN(5000)) * time.Millisecond
	case roll < 12:
		b.kind, b.delay = Retried, time.Duration(draw.IntN(3000))*time.Millisecond
	case roll < 13:
		b.kind = 0
	case roll < 15:
		b.kind = Rejected
	}
	if c.run.n.sick.Load() > 0 && b.kind == Acked {
		b.kind = Retried
	}
	return b
}

// steady is a behaviour whose outcome is the key's, whatever number an attempt has.
func (c *consumer) steady(key string, attempt int) behaviour {
	switch roll := keyed(c.run.n.w.seed, c.join.channel, key).IntN(20); {
	case roll < 2:
		return behaviour{kind: Rejected}
	case roll < 5 && attempt == 1:
		return behaviour{kind: Retried, delay: time.Second}
	case roll < 7:
		return behaviour{kind: Acked, busy: 300 * time.Millisecond}
	}
	return behaviour{kind: Acked}
}

func (c *consumer) event(k Kind, key string, m *engine.Message) Event {
	return Event{Kind: k, Node: c.run.n.plan.id, Run: c.run.number, Channel: m.Channel, Sender: m.Sender, Key: key, ID: m.ID, Seq: m.Seq, Attempt: m.Attempt, Redrive: c.run.isRedriven(m)}
}

// record adds to the history what happens before the process ends; it tells whether that is so. A verdict that is not on record must
// not be given: nobody would know of it.
func (c *consumer) record(e Event) bool {
	alive := c.run.alive()
	if alive {
		c.run.n.w.history.add(e)
	}
	return alive
}

func (c *consumer) begin(m *engine.Message) (string, behaviour) {
	c.run.notice(m)
	key, whole := keyOf(m.Data)
	e := c.event(Handed, key, m)
	e.Broken = !whole
	c.record(e)
	b := c.behaviour(key, m.Attempt)
	c.run.pause(b.busy)
	return key, b
}

// callback is the handler of a channel without effects.
func (c *consumer) callback(m *engine.Message) {
	key, b := c.begin(m)
	defer func() { c.record(c.event(Returned, key, m)) }()
	if b.later == 0 {
		c.judge(m, key, b)
		return
	}
	c.run.tasks.Go(func() {
		if c.run.pause(b.later) {
			c.judge(m, key, b)
		}
	})
}

func (c *consumer) judge(m *engine.Message, key string, b behaviour) {
	if b.kind == 0 {
		return
	}
	if !c.record(c.event(b.kind, key, m)) {
		return
	}
	var err error
	switch b.kind {
	case Retried:
		err = m.Nack(b.delay)
	case Rejected:
		err = m.Reject("the simulation does not want it")
	default:
		err = m.Ack()
	}
	if err != nil {
		c.record(c.event(Withdrawn, key, m))
	}
}

// handle is the handler of a channel with effects: it counts the message in the state and emits one message for it.
func (c *consumer) handle(_ context.Context, m *engine.Message) engine.Result {
	key, b := c.begin(m)
	defer func() { c.record(c.event(Returned, key, m)) }()
	if !c.run.alive() {
		return engine.Result{Verdict: engine.Stop}
	}
	if c.run.n.lacking.Load() > 0 {
		c.record(c.event(Held, key, m))
		return engine.Result{Verdict: engine.Hold, Delay: time.Second, Reason: "what it needs is away"}
	}
	switch b.kind {
	case Retried, 0:
		c.record(c.event(Retried, key, m))
		return engine.Result{Verdict: engine.Retry, Delay: b.delay, Reason: "once more"}
	case Rejected:
		c.record(c.event(Rejected, key, m))
		return engine.Result{Verdict: engine.Dead, Reason: "the simulation does not want it"}
	default:
	}
	ns := namespace(c.join.channel)
	value, _, err := c.run.c.State().Get(ns, []byte(key))
	if err != nil {
		c.record(c.event(Retried, key, m))
		return engine.Result{Verdict: engine.Retry, Reason: err.Error()}
	}
	r := engine.Result{Effects: engine.Effects{State: []engine.StateChange{{Namespace: ns, Key: []byte(key), Value: append(bytes.Clone(value), '+')}}}}
	if c.join.emitTo != "" {
		c.emit(&r, key)
	}
	if !c.run.plugin(c.join.channel, m.Sender).count(&r) {
		if e := r.Settled; e != nil {
			e(errVoid)
		}
		return engine.Result{Verdict: engine.Stop}
	}
	if !c.record(c.event(Acked, key, m)) {
		r.Queued()
		r.Settled(errVoid)
		return engine.Result{Verdict: engine.Stop}
	}
	return r
}

var errVoid = errors.New("the call is void")

func (c *consumer) emit(r *engine.Result, cause string) {
	key := emitKey(c.run.n.plan.id, cause)
	r.Effects.Emits = []engine.Emit{{Channel: c.join.emitTo, Data: content(key, len(cause))}}
	e := Event{Kind: Invoked, Node: c.run.n.plan.id, Run: c.run.number, Channel: c.join.emitTo, Key: key}
	e.Readers, e.Joins = c.run.readers(c.join.emitTo)
	c.record(e)
	r.Settled = func(err error) {
		e.Kind, e.Readers, e.Joins = Accepted, nil, nil
		if err != nil {
			e.Kind = Unknown
		}
		// Also from a process that is being killed: what is durable is durable.
		c.run.n.w.history.add(e)
	}
}
