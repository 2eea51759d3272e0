package engine

import (
	"context"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
)

// hurry is the planted bug of overlapping attempts: it does not wait for callbacks that take longer than ACKTimeout.
func (ch *Channel) hurry(ctx context.Context, m *Message, callbacks []func(*Message)) inbox.Verdict {
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		for _, f := range callbacks {
			f(m)
		}
	}()
	select {
	case <-returned:
		return m.wait(ctx, ch.c.config.ACKTimeout)
	case <-time.After(ch.c.config.ACKTimeout):
		return inbox.Verdict{Kind: inbox.Retry}
	}
}
