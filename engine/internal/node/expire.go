package node

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// sweepEvery is how often expired messages are looked for whose readers are away, and sweepAtOnce how many batches one transaction takes.
const (
	sweepEvery  = time.Minute
	sweepAtOnce = 256
)

// expire puts batches on record whose messages have all expired and that some reader has not got: they are skipped for all, so that they
// take no room and count in no queue while that reader is away. It starts at expiries above an engine time and returns how far it came.
func (n *Node) expire(swept int64) int64 {
	now := n.store.Now()
	for limit := sweepAtOnce; n.ctx.Err() == nil; {
		batches, err := n.store.Expired(swept, now, limit)
		if err == nil {
			err = n.skipExpired(batches)
		}
		if err != nil {
			n.limiter.warn(n.log.With().Err(err).Logger(), "expire", "expired messages could not be put on record")
			return swept
		}
		if len(batches) < limit {
			return now
		}
		last := batches[len(batches)-1].Latest - 1 // more may expire at that moment
		if last == swept {
			limit *= 2
		}
		swept = max(swept, last)
	}
	return swept
}

// skipExpired stores the skips of those batches that are not at their end for everybody.
func (n *Node) skipExpired(batches []store.Batch) error {
	missing := n.oldestPending()
	tx := store.Tx{Must: true}
	for i := range batches {
		b := &batches[i]
		if low, ok := missing[b.Channel]; ok && b.Last > low {
			tx.Skips = append(tx.Skips, store.SkipRange{Channel: b.Channel, From: b.Prev + 1, To: b.Last, Reason: uint8(wire.Expired)})
		}
	}
	if len(tx.Skips) == 0 {
		return nil
	}
	if err := n.store.Do(&tx); err != nil {
		return err
	}
	n.out.Skipped()
	return nil
}

// oldestPending tells up to where each channel is at its end for everybody, readers yet to come included.
func (n *Node) oldestPending() map[string]uint64 {
	low := map[string]uint64{}
	note := func(channel string, position uint64) {
		if p, ok := low[channel]; !ok || position < p {
			low[channel] = position
		}
	}
	for _, r := range n.out.Readers() {
		if !r.Ended {
			note(r.Channel, r.Position)
		}
	}
	for name, head := range n.store.Heads() {
		if head.OpenFrom > 0 {
			note(name, head.OpenFrom-1)
		}
	}
	return low
}
