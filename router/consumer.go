package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/config"
	"github.com/getevo/rmds-router/router/connect"
)

// consumer is what a channel's messages come to on this node: the inbound filters, then a handler, an output, or nothing.
type consumer struct {
	router  *Router
	inbound []string
	handler *stage         // or
	output  connect.Output // or neither
	name    string         // of the consumer
	hold    hold           // of the output
	gates   gates
}

// attach gives the channel its consumer, which opens its lanes. A channel without one keeps them closed.
func (r *Router) attach(ch *engine.Channel, c config.Channel) error {
	if !c.Mode.Reads() || c.Consumer == "" {
		return nil
	}
	if c.Consumer == config.ConsumerNone && len(c.Inbound) == 0 {
		return ch.AckUnhandled()
	}
	h := &consumer{router: r, inbound: c.Inbound, handler: r.stages[c.Consumer], output: r.outputs[c.Consumer], name: c.Consumer}
	r.consumers[c.Name] = h
	h.gates = r.gatesFor(append([]string{c.Consumer}, c.Inbound...)...)
	return ch.Handle(h.handle)
}

// handle is one attempt at a message. What the plugins want done commits with the message's acknowledgement.
func (c *consumer) handle(ctx context.Context, m *engine.Message) engine.Result {
	for {
		if err := c.gates.take(ctx); err != nil {
			return engine.Result{Verdict: engine.Stop}
		}
		p := &pass{router: c.router}
		v := c.run(ctx, p, m)
		if p.void() { // a commit before this one failed while the plugins ran
			p.settle(errDiscarded)
			c.gates.release()
			continue
		}
		if v.end == held || v.end == dead || v.end == blocked {
			p.rewind(mark{})
			c.gates.release()
			return c.refusal(ctx, v)
		}
		if len(p.effects.Emits) == 0 && len(p.effects.State) == 0 { // its place may share a transaction with others'
			p.settle(nil)
			c.gates.release()
			return engine.Result{Verdict: engine.Ack}
		}
		result := engine.Result{Verdict: engine.Ack, Effects: p.effects}
		if len(c.gates) > 0 {
			result.Queued, result.Settled = c.gates.release, p.settle
		}
		return result
	}
}

func (c *consumer) refusal(ctx context.Context, v verdict) engine.Result {
	switch {
	case ctx.Err() != nil:
		return engine.Result{Verdict: engine.Stop}
	case v.end == dead:
		return engine.Result{Verdict: engine.Dead, Reason: v.reason}
	case v.end == blocked:
		return engine.Result{Verdict: engine.Hold, Delay: v.delay, Reason: v.reason}
	}
	return engine.Result{Verdict: engine.Retry, Delay: v.delay, Reason: v.reason}
}

func (c *consumer) run(ctx context.Context, p *pass, m *engine.Message) verdict {
	pm := plugins.Message{ID: m.ID, Channel: m.Channel, Sender: m.Sender, Body: m.Data, Headers: headersIn(m.Headers), Created: m.CreatedAt.UnixMilli(),
		Seq: m.Seq, Attempt: m.Attempt, LastError: m.LastError}
	if !m.ExpiresAt.IsZero() {
		pm.Expires = m.ExpiresAt.UnixMilli()
	}
	if v := p.filter(ctx, c.inbound, &pm, 0); v.end != passed {
		return v
	}
	switch {
	case pm.Channel != m.Channel:
		return p.out(ctx, pm, timing{ttl: timeLeft(m)}, 1)
	case c.handler != nil:
		return p.handle(ctx, c.handler, &pm)
	case c.output != nil:
		return c.write(&pm, m.CreatedAt)
	}
	return verdict{}
}

// timeLeft is the time to live of a message that is sent on; 0 is the configured one.
func timeLeft(m *engine.Message) time.Duration {
	if m.ExpiresAt.IsZero() {
		return 0
	}
	return max(time.Until(m.ExpiresAt), time.Millisecond)
}

func (c *consumer) write(m *plugins.Message, created time.Time) verdict {
	r := connect.Record{ID: m.ID, Channel: m.Channel, Sender: m.Sender, Seq: m.Seq, Created: created, Data: m.Body}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, connect.Header(h))
	}
	err := c.output.Write(&r)
	switch {
	case errors.Is(err, connect.ErrUnfit): // this message's fault: the output works
		return verdict{end: held, reason: err.Error()}
	case err != nil:
		return c.blocked(fmt.Sprintf("output %s: %v", c.name, err))
	}
	if waited := c.hold.worked(time.Now()); waited > 0 {
		c.router.log.Info().Str("output", c.name).Dur("waited", waited).Msg("the output works again")
	}
	return verdict{}
}

// blocked keeps a message, and all behind it, until the output works again.
func (c *consumer) blocked(reason string) verdict {
	wait, news := c.hold.failed(reason, time.Now())
	if news {
		c.router.log.Warn().Str("output", c.name).Str("reason", reason).Msg("the output fails; its messages wait and no attempt is counted")
	}
	return verdict{end: blocked, delay: wait, reason: reason}
}
