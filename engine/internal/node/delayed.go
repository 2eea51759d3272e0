package node

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// delayedNamespace holds emits that wait for their time: the key is when they are due, in engine milliseconds, and a random tail;
// the value is the channel, its length before it, and the encoded message. They get their sequence when they are due.
const delayedNamespace = "\x00delayed"

// dueAtOnce is how many delayed emits one transaction takes, and dueRetry the wait after one failed.
const (
	dueAtOnce = 256
	dueRetry  = time.Second
)

// Delay returns the change that keeps an emit until its time. Call DelayChanged when it is durable.
func (n *Node) Delay(e outbox.Emit, delay time.Duration) (store.StateChange, error) {
	if err := n.out.Fits(e.Channel, &e.Message); err != nil {
		return store.StateChange{}, err
	}
	value := append([]byte{byte(len(e.Channel))}, e.Channel...)
	value, err := wire.SealOne(value, &e.Message)
	if err != nil {
		return store.StateChange{}, fmt.Errorf("encode a delayed emit: %w", err)
	}
	key := binary.BigEndian.AppendUint64(nil, uint64(n.store.Now()+delay.Milliseconds()))
	key = append(key, make([]byte, 12)...)
	// Read never returns an error, and fills the slice.
	_, _ = rand.Read(key[8:])
	return store.StateChange{Namespace: delayedNamespace, Key: key, Value: value}, nil
}

// DelayChanged makes the node look for the next emit that is due.
func (n *Node) DelayChanged() {
	select {
	case n.delayed <- struct{}{}:
	default:
	}
}

// sendDelayed is the goroutine that appends emits when they are due.
func (n *Node) sendDelayed() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-n.delayed:
		case <-n.ctx.Done():
			return
		}
		wait, ok, err := n.releaseDue()
		if err != nil {
			n.limiter.warn(n.log.With().Err(err).Logger(), "delayed", "delayed emits could not be sent; they are tried again")
			wait, ok = dueRetry, true
		}
		if ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// due is one delayed emit whose time has come; its key goes with it.
type due struct {
	key  []byte
	emit outbox.Emit
	void bool // it is damaged: nothing can be sent
}

// releaseDue appends what is due and tells when the next is. One that cannot be sent holds up no other: it is tried again.
func (n *Node) releaseDue() (wait time.Duration, more bool, err error) {
	var after []byte
	for n.ctx.Err() == nil {
		pairs, err := n.store.List(delayedNamespace, nil, after, dueAtOnce)
		if err != nil || len(pairs) == 0 {
			return dueRetry, after != nil, err
		}
		list, next := n.dueOf(pairs)
		refused := n.sendDue(list)
		switch {
		case len(list) < len(pairs) && len(refused) == 0 && after == nil:
			return time.Duration(next) * time.Millisecond, true, nil
		case len(list) < len(pairs):
			return min(dueRetry, time.Duration(next)*time.Millisecond), true, nil
		case len(refused) > 0:
			after = pairs[len(pairs)-1].Key
		}
	}
	return 0, false, nil
}

// dueOf parses those of the pairs that are due, and tells in how many milliseconds the first of the others is.
func (n *Node) dueOf(pairs []store.Pair) (list []due, next int64) {
	now := n.store.Now()
	for _, p := range pairs {
		at, e, err := parseDelayed(p)
		if err == nil && at > now {
			return list, at - now
		}
		if err != nil {
			n.log.Error().Err(err).Msg("a delayed emit is damaged and was dropped")
		}
		list = append(list, due{p.Key, e, err != nil})
	}
	return list, 0
}

// sendDue appends emits in one transaction; if that is refused, each half on its own, down to single ones. For want of room it is the half of
// the smaller ones, and if that has none, the larger need not be tried. It returns those that were refused.
func (n *Node) sendDue(list []due) (refused []due) {
	if len(list) == 0 {
		return nil
	}
	err := n.commitDue(list)
	switch {
	case err == nil:
		return nil
	case len(list) == 1 || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrFailed):
		n.limiter.warn(n.log.With().Err(err).Str("channel", list[0].emit.Channel).Logger(), "delayed", "a delayed emit could not be sent; it is tried again")
		return list
	}
	half, full := len(list)/2, errors.Is(err, store.ErrFull)
	if full {
		slices.SortStableFunc(list, func(a, b due) int { return cmp.Compare(len(a.emit.Message.Data), len(b.emit.Message.Data)) })
	}
	refused = n.sendDue(list[:half])
	if full && len(refused) > 0 {
		return append(refused, list[half:]...)
	}
	return append(refused, n.sendDue(list[half:])...)
}

func (n *Node) commitDue(list []due) error {
	var emits []outbox.Emit
	tx := store.Tx{}
	for _, d := range list {
		tx.State = append(tx.State, store.StateChange{Namespace: delayedNamespace, Key: d.key})
		if !d.void {
			emits = append(emits, d.emit)
		}
	}
	var err error
	if tx.Segments, err = n.out.Segments(emits); err != nil {
		return fmt.Errorf("send delayed emits: %w", err)
	}
	if err := n.store.Do(&tx); err != nil {
		n.out.Release(tx.Segments)
		return fmt.Errorf("send delayed emits: %w", err)
	}
	return nil
}

var errDelayed = errors.New("malformed delayed emit")

func parseDelayed(p store.Pair) (at int64, e outbox.Emit, err error) {
	if len(p.Key) < 8 || len(p.Value) < 1 || len(p.Value) < 1+int(p.Value[0]) {
		return 0, e, errDelayed
	}
	m, err := wire.ParseOne(p.Value[1+int(p.Value[0]):])
	if err != nil {
		return 0, e, fmt.Errorf("%w: %w", errDelayed, err)
	}
	return int64(binary.BigEndian.Uint64(p.Key)), outbox.Emit{Channel: string(p.Value[1 : 1+int(p.Value[0])]), Message: *m}, nil
}
