package router

import (
	"context"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/admin"
)

// Send sends one message for somebody outside and returns when it is durable, or when a filter has dropped it.
func (r *Router) Send(ctx context.Context, channel string, m admin.Outgoing) (admin.Receipt, error) {
	ch, joined := r.config.Channel(channel), r.engine.Channel(channel)
	if ch == nil || joined == nil {
		return admin.Receipt{}, fmt.Errorf("%w: %q: its channels are %v; add it to the configuration", admin.ErrNoChannel, channel, r.channelNames())
	}
	headers := make([]engine.Header, len(m.Headers))
	for i, h := range m.Headers {
		headers[i] = engine.Header(h)
	}
	if len(ch.Outbound) == 0 || !ch.Mode.Writes() {
		id, err := joined.Send(ctx, engine.Outgoing{Data: m.Data, Headers: headers, TTL: m.TTL})
		return admin.Receipt{ID: id}, err
	}
	return r.sendFiltered(ctx, channel, plugins.Message{Channel: channel, Sender: r.node, Body: m.Data, Headers: headersIn(headers), Created: time.Now().UnixMilli(), Attempt: 1}, m.TTL)
}

// sendFiltered sends one message through the channel's outbound filters.
func (r *Router) sendFiltered(ctx context.Context, channel string, m plugins.Message, ttl time.Duration) (admin.Receipt, error) {
	g := r.outgates[channel]
	if err := g.take(ctx); err != nil {
		return admin.Receipt{}, fmt.Errorf("wait for the filters of channel %s: %w", channel, err)
	}
	p := &pass{router: r}
	v := p.out(ctx, m, timing{ttl: ttl}, 0)
	switch v.end {
	case held, dead:
		p.rewind(mark{})
		g.release()
		if v.end == dead {
			return admin.Receipt{}, fmt.Errorf("%w: %s", admin.ErrRejected, v.reason)
		}
		return admin.Receipt{}, fmt.Errorf("%w: %s", admin.ErrHeld, v.reason)
	}
	last := len(p.effects.Emits) - 1 // what a filter emits comes before the message that it lets pass
	done, err := r.commit(ctx, p, nil, g)
	if v.end == dropped {
		return admin.Receipt{Dropped: true}, err
	}
	return admin.Receipt{ID: done.ID(last)}, err
}

// commit makes what a pass gathered durable, together with other state, and tells the plugins. The gates are let go when the
// effects have their place in the order of commits; a failed commit makes later calls void, which finds them before they commit.
func (r *Router) commit(ctx context.Context, p *pass, state []engine.StateChange, g gates) (engine.Committed, error) {
	p.effects.State = append(p.effects.State, state...)
	if p.void() {
		p.settle(errDiscarded)
		g.release()
		return engine.Committed{}, fmt.Errorf("%w: an earlier commit of its filters failed; try again", admin.ErrHeld)
	}
	if len(p.effects.Emits) == 0 && len(p.effects.State) == 0 {
		p.settle(nil)
		g.release()
		return engine.Committed{}, nil
	}
	// The outcome must be known before the plugins are told, so the commit is not bound to the caller's patience.
	done, err := r.engine.Commit(context.WithoutCancel(ctx), p.effects, nil)
	p.settle(err)
	g.release()
	return done, err
}
