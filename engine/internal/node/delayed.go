package node

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
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

// releaseDue appends what is due and tells when the next is.
func (n *Node) releaseDue() (wait time.Duration, more bool, err error) {
	for {
		pairs, err := n.store.List(delayedNamespace, nil, nil, dueAtOnce)
		if err != nil || len(pairs) == 0 {
			return 0, false, err
		}
		now := n.store.Now()
		var emits []outbox.Emit
		tx := store.Tx{}
		for _, p := range pairs {
			at, e, err := parseDelayed(p)
			if err == nil && at > now {
				break
			}
			tx.State = append(tx.State, store.StateChange{Namespace: delayedNamespace, Key: p.Key})
			if err != nil {
				n.log.Error().Err(err).Msg("a delayed emit is damaged and was dropped")
				continue
			}
			emits = append(emits, e)
		}
		if len(tx.State) == 0 {
			at := int64(binary.BigEndian.Uint64(pairs[0].Key))
			return time.Duration(at-now) * time.Millisecond, true, nil
		}
		if tx.Segments, err = n.out.Segments(emits, !n.Settled()); err != nil {
			return 0, false, fmt.Errorf("send delayed emits: %w", err)
		}
		if err := n.store.Do(&tx); err != nil {
			n.out.Release(tx.Segments)
			return 0, false, fmt.Errorf("send delayed emits: %w", err)
		}
	}
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
