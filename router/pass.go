package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
)

// maxFilterDepth is how many outbound filters may call for each other by emitting.
const maxFilterDepth = 8

// errDiscarded is what a plugin is told about effects whose message was not handled after all.
var errDiscarded = errors.New("the message was not handled, so its effects are discarded")

// end is how a message's way through plugins ends.
type end uint8

const (
	passed  end = iota
	dropped     // handled; goes no further
	held        // to be tried again
	dead        // for the dead letters
	blocked     // to be tried again without counting: not the message is at fault
)

// verdict is an end with what belongs to it.
type verdict struct {
	end    end
	delay  time.Duration
	reason string
}

// pass is the way of one message, or of a batch, through plugins: the outcomes of the calls, and what they want committed.
// It is used by one goroutine, which holds the gates of every plugin it meets.
type pass struct {
	router   *Router
	outcomes []plugins.Outcome
	effects  engine.Effects
}

// mark is a point to fall back to.
type mark struct{ outcomes, emits, state int }

func (p *pass) mark() mark { return mark{len(p.outcomes), len(p.effects.Emits), len(p.effects.State)} }

// rewind discards everything behind a mark. What is before it must have been settled already, or be discarded next.
func (p *pass) rewind(m mark) {
	for _, o := range p.outcomes[m.outcomes:] {
		if o.Effects.Empty() {
			o.Settle(nil)
		} else {
			o.Settle(errDiscarded)
		}
	}
	p.outcomes = p.outcomes[:m.outcomes]
	p.effects.Emits, p.effects.State = p.effects.Emits[:m.emits], p.effects.State[:m.state]
}

// settle tells every plugin what became of the effects.
func (p *pass) settle(err error) {
	for _, o := range p.outcomes {
		o.Settle(err)
	}
}

// void says whether some call was made on what never became true, so that nothing of this may be committed.
func (p *pass) void() bool {
	for i := range p.outcomes {
		if p.outcomes[i].Void() {
			return true
		}
	}
	return false
}

// accept keeps an outcome's effects, sending its emits through the outbound filters of their channels.
func (p *pass) accept(ctx context.Context, s *stage, o plugins.Outcome, depth int) verdict {
	p.outcomes = append(p.outcomes, o)
	for _, c := range o.Effects.State {
		p.effects.State = append(p.effects.State, engine.StateChange{Namespace: s.Name(), Key: c.Key, Value: c.Value})
	}
	for _, e := range o.Effects.Emits {
		m := plugins.Message{Channel: e.Channel, Sender: p.router.node, Body: e.Body, Headers: e.Headers, Created: time.Now().UnixMilli(), Attempt: 1}
		if v := p.out(ctx, m, timing{e.TTL, e.Delay}, depth+1); v.end == held || v.end == dead {
			return v
		}
	}
	return verdict{}
}

// timing is how long a message lives, 0 for as long as is configured, and how much later it is sent.
type timing struct{ ttl, delay time.Duration }

// out sends a message through the outbound filters of its channel to the effects. The filters see it now, whatever its delay.
func (p *pass) out(ctx context.Context, m plugins.Message, t timing, depth int) verdict {
	ch := p.router.config.Channel(m.Channel)
	if ch == nil || !ch.Mode.Writes() {
		return verdict{end: dead, reason: fmt.Sprintf("a message for channel %s, on which this node does not send: add the channel with mode rw or write", m.Channel)}
	}
	if len(ch.Outbound) > 0 && depth > maxFilterDepth {
		return verdict{end: dead, reason: fmt.Sprintf("outbound filters call for each other more than %d deep", maxFilterDepth)}
	}
	if v := p.filter(ctx, ch.Outbound, &m, depth); v.end != passed {
		return v
	}
	return p.emit(m, t)
}

// emit adds a message to the effects, once it is sure that the engine takes it.
func (p *pass) emit(m plugins.Message, t timing) verdict {
	ch := p.router.config.Channel(m.Channel)
	if ch == nil || !ch.Mode.Writes() {
		return verdict{end: dead, reason: fmt.Sprintf("a filter redirects to channel %s, on which this node does not send", m.Channel)}
	}
	if limit := p.router.config.Engine.MaxMessageSize; len(m.Body) > limit {
		return verdict{end: dead, reason: fmt.Sprintf("a message of %d bytes for channel %s is above delivery.max_message_size (%d bytes)", len(m.Body), m.Channel, limit)}
	}
	p.effects.Emits = append(p.effects.Emits, engine.Emit{Channel: m.Channel, Data: m.Body, Headers: headersOut(m.Headers), TTL: t.ttl, Delay: t.delay})
	return verdict{}
}

// filter sends a message through filters, which may change it. The gates are held, so that a plugin may be called again at once.
func (p *pass) filter(ctx context.Context, names []string, m *plugins.Message, depth int) verdict {
	for _, name := range names {
		s := p.router.stages[name]
		o := s.Filter(ctx, m)
		o.Release()
		v := s.verdict(&o, true)
		switch {
		case o.Verdict == plugins.Fault && s.config.OnError == plugins.OnErrorPass:
			o.Settle(nil)
			continue
		case v.end == held || v.end == dead:
			o.Settle(nil)
			return v
		}
		if failed := p.accept(ctx, s, o, depth); failed.end != passed {
			return failed
		}
		if v.end == dropped {
			return v
		}
		if o.Changed {
			m.Body, m.Headers, m.Channel = o.Body, o.Headers, o.Channel
		}
	}
	return verdict{}
}

// handle gives a message to a handler.
func (p *pass) handle(ctx context.Context, s *stage, m *plugins.Message) verdict {
	o := s.Handle(ctx, m)
	o.Release()
	if v := s.verdict(&o, false); v.end != passed {
		o.Settle(nil)
		return v
	}
	return p.accept(ctx, s, o, 0)
}

// verdict reads an outcome. A fault of a handler is an attempt; of a filter, what its on_error says.
func (s *stage) verdict(o *plugins.Outcome, filter bool) verdict {
	reason := blame(s.Name(), o.Reason)
	switch o.Verdict {
	case plugins.Pass:
		return verdict{}
	case plugins.Drop:
		return verdict{end: dropped}
	case plugins.Dead:
		return verdict{end: dead, reason: reason}
	case plugins.Fault:
		if filter && s.config.OnError == plugins.OnErrorDead {
			return verdict{end: dead, reason: reason}
		}
	}
	return verdict{end: held, delay: o.RetryAfter, reason: reason}
}

// blame names the plugin and what it said, if anything.
func blame(plugin, said string) string {
	if said == "" {
		said = "it gave no reason"
	}
	return fmt.Sprintf("plugin %s: %s", plugin, said)
}

func headersOut(list []plugins.Header) []engine.Header {
	if len(list) == 0 {
		return nil
	}
	out := make([]engine.Header, len(list))
	for i, h := range list {
		out[i] = engine.Header(h)
	}
	return out
}

func headersIn(list []engine.Header) []plugins.Header {
	if len(list) == 0 {
		return nil
	}
	out := make([]plugins.Header, len(list))
	for i, h := range list {
		out[i] = plugins.Header(h)
	}
	return out
}
