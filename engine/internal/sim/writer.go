package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// write is a run's one sender: it sends on all the channels that the node writes, one after the other.
func (r *run) write() {
	draw := keyed(r.n.w.seed, "writer", r.n.plan.id, fmt.Sprint(r.number))
	channels := r.n.plan.sends()
	for {
		select {
		case count := <-r.tokens:
			for range count {
				if !r.gap(draw) {
					return
				}
				r.send(draw, pick(draw, channels...))
			}
		case <-r.ending:
			return
		}
	}
}

// gap waits between two sends; false: the run ends.
func (r *run) gap(draw *rand.Rand) bool {
	wait := time.Duration(0)
	if chance(draw, 0.6) {
		wait = time.Duration(draw.IntN(400)) * time.Millisecond
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ending:
		return false
	}
}

// next makes one message.
func (r *run) next(draw *rand.Rand, channel string) (string, engine.Outgoing) {
	r.n.sent++
	key := fmt.Sprintf("%s%d", r.n.plan.id, r.n.sent)
	size := draw.IntN(100)
	switch roll := draw.IntN(100); {
	case roll < 2:
		size = 20<<10 + draw.IntN(60<<10)
	case roll < 10:
		size = draw.IntN(4 << 10)
	}
	if r.large.Swap(false) {
		size = 2*small + draw.IntN(2*small)
	}
	out := engine.Outgoing{Data: content(key, size)}
	if r.n.w.plan.expiring && chance(draw, 0.15) {
		out.TTL = time.Duration(1+draw.IntN(60)) * time.Second
	}
	readers, joins := r.readers(channel)
	r.n.w.history.add(Event{Kind: Invoked, Node: r.n.plan.id, Run: r.number, Channel: channel, Key: key, Readers: readers, Joins: joins, Expires: out.TTL > 0})
	return key, out
}

func (r *run) send(draw *rand.Rand, channel string) {
	ch := r.channel(channel)
	if ch == nil {
		return // the join failed, and that is on record
	}
	ended := func(keys ...string) func(error) {
		return func(err error) {
			for _, key := range keys {
				r.n.w.history.add(Event{Kind: outcome(err), Node: r.n.plan.id, Run: r.number, Channel: channel, Key: key, Note: text(err)})
			}
		}
	}
	switch roll := draw.IntN(10); {
	case roll < 2:
		key, out := r.next(draw, channel)
		ch.SendAsync(out, ended(key))
	case roll < 4:
		var keys []string
		var batch []engine.Outgoing
		for range 2 + draw.IntN(4) {
			key, out := r.next(draw, channel)
			keys, batch = append(keys, key), append(batch, out)
		}
		ended(keys...)(ch.SendBatch(context.Background(), batch))
	default:
		key, out := r.next(draw, channel)
		_, err := ch.Send(context.Background(), out)
		ended(key)(err)
	}
}

// outcome is what a send's error means by the engine's word.
func outcome(err error) Kind {
	switch {
	case err == nil:
		return Accepted
	case errors.Is(err, engine.ErrStorage):
		return Unknown
	default:
		return Refused
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
