package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

var (
	// ErrNoLetter means there is no such dead letter, or it was handled or dropped meanwhile.
	ErrNoLetter = errors.New("no such dead letter")
	// ErrLetterBusy means somebody else is redriving or dropping the same letter.
	ErrLetterBusy = errors.New("the dead letter is being redriven or dropped already")
	// ErrNoConsumer means nothing on this node handles the letter's channel now.
	ErrNoConsumer = errors.New("the channel has no consumer on this node")
	// ErrStillDead means the message was tried once more and not handled: it stays a dead letter, with the new reason.
	ErrStillDead = errors.New("the message failed again and stays a dead letter")
	// ErrHeld means the consumer gave no verdict. The letter is as it was.
	ErrHeld = errors.New("the consumer gave no verdict; the dead letter is as it was")
	// ErrLetterCorrupt means the letter's message cannot be decoded.
	ErrLetterCorrupt = errors.New("the dead letter is damaged")
	// ErrClosed means the inbox is closed.
	ErrClosed = errors.New("the inbox is closed")
)

// place names where a message is counted: one of this node's joins to a channel of one sender.
type place struct {
	sender  store.ID
	channel string
	join    uint64
}

// Redrive hands a dead letter to its channel's consumer once more, out of its order but in the channel's turn. If that acks, one
// transaction holds its effects, the letter's end, and one message less dead and more handled; Redrive returns when it is durable. If
// ctx ends before that, the error wraps ctx's, and the letter may yet be handled. A consumer that has the message is not hurried by ctx.
func (b *Inbox) Redrive(ctx context.Context, id int64) error {
	release, err := b.claim([]int64{id})
	if err != nil {
		return err
	}
	done, err := b.redrive(ctx, id, release)
	b.done.Done()
	if err != nil {
		release()
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the message is handled as soon as the disk takes it: %w", ctx.Err())
	}
}

// Drop deletes dead letters for good, with a record of that; they stay counted as dead. Those that are gone already are left out. It returns
// when that is durable.
func (b *Inbox) Drop(ids []int64, record store.AuditEntry) error {
	release, err := b.claim(ids)
	if err != nil {
		return err
	}
	defer b.done.Done()
	defer release()
	return b.log.Do(&store.Tx{Unbury: ids, Audit: []store.AuditEntry{record}})
}

// claim keeps everybody else off the letters until release is called, and Close from ending until the caller is done.
func (b *Inbox) claim(ids []int64) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	for _, id := range ids {
		if b.claimed[id] {
			return nil, fmt.Errorf("dead letter %d: %w", id, ErrLetterBusy)
		}
	}
	for _, id := range ids {
		b.claimed[id] = true
	}
	b.done.Add(1)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, id := range ids {
			delete(b.claimed, id)
		}
	}, nil
}

// redrive runs the attempt. When it succeeds, done tells what became of its transaction, after the letter was released.
func (b *Inbox) redrive(ctx context.Context, id int64, release func()) (done <-chan error, err error) {
	letter, ok, err := b.log.DeadLetter(id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoLetter
	}
	m, err := wire.ParseOne(letter.Message)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLetterCorrupt, err)
	}
	ch, err := b.turn(ctx, letter.Channel)
	if err != nil {
		return nil, err
	}
	if ch.writes.Load() && b.log.Full() {
		<-ch.turns
		return nil, fmt.Errorf("%w: %s", ErrHeld, noRoom)
	}
	called := b.now()
	v := ch.consumer(b.ctx, &Delivery{Sender: letter.Sender, Node: letter.Node, Channel: letter.Channel, Run: letter.Run, Seq: letter.Seq, Message: *m,
		Attempt: letter.Attempts + 1, LastError: letter.Reason})
	if v.Kind != Ack {
		v.discard()
		<-ch.turns
		return nil, b.inVain(&letter, &v)
	}
	if len(v.Segments)+len(v.State) > 0 {
		ch.writes.Store(true)
	}
	if b.opt.Observed {
		b.opt.Event(Event{Kind: MessageHandled, Node: letter.Node, Channel: letter.Channel, Count: 1, Attempt: letter.Attempts + 1, Took: b.now() - called})
	}
	outcome := make(chan error, 1)
	b.revive(&letter, &v, func(err error) {
		release()
		outcome <- err
	})
	if v.Queued != nil {
		v.Queued()
	}
	<-ch.turns
	return outcome, nil
}

// turn waits until the channel's consumer is free, and takes it.
func (b *Inbox) turn(ctx context.Context, name string) (*channel, error) {
	ch := b.channel(name)
	if ch == nil {
		return nil, ErrNoConsumer
	}
	select {
	case ch.turns <- struct{}{}:
	case <-b.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the channel's consumer: %w", ctx.Err())
	}
	if b.channel(name) != ch { // the join ended meanwhile
		<-ch.turns
		return nil, ErrNoConsumer
	}
	return ch, nil
}

// inVain keeps the letter of a message that was not handled.
func (b *Inbox) inVain(letter *store.DeadLetter, v *Verdict) error {
	reason := v.Reason
	switch v.Kind {
	case Void:
		return fmt.Errorf("%w: %s", ErrHeld, orText(reason, "the engine is stopping"))
	case Dead:
		reason = orText(reason, "rejected by its handler")
	case Ack, Retry:
		reason = orText(reason, "the attempt failed")
	}
	again := store.DeadLetter{ID: letter.ID, Reason: reason, Attempts: letter.Attempts + 1, Wall: time.Now().UnixMilli()}
	if err := b.log.Do(&store.Tx{Rebury: []store.DeadLetter{again}}); err != nil {
		return fmt.Errorf("%w: %s; keep the reason: %w", ErrStillDead, reason, err)
	}
	return fmt.Errorf("%w: %s", ErrStillDead, reason)
}

// revive commits what the consumer wants written, and the message as handled. The lane that counts it has its totals in memory: the
// change is made there. Without such a lane the store counts, and none may open for the place until that is done.
func (b *Inbox) revive(letter *store.DeadLetter, v *Verdict, settled func(error)) {
	tx := &store.Tx{Segments: v.Segments, State: v.State, Must: true}
	at := place{letter.Sender, letter.Channel, letter.Join}
	after := func(err error) {
		if err == nil {
			b.mu.Lock()
			b.told[at] = tellRounds
			b.mu.Unlock()
		}
		if v.Settled != nil {
			v.Settled(err)
		}
		settled(err)
	}
	if err := b.submitRevival(at, letter.ID, tx, after); err != nil {
		after(err)
	}
}

// submitRevival queues the transaction. On an error the store is closed, and after is not called.
func (b *Inbox) submitRevival(at place, id int64, tx *store.Tx, after func(error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		if l.key.sender != at.sender {
			continue
		}
		if counted, err := l.revive(at, id, tx, after); counted || err != nil {
			return err
		}
	}
	tx.Revive = []int64{id}
	tx.Done = func(err error) {
		b.mu.Lock()
		if b.counting[at]--; b.counting[at] == 0 {
			delete(b.counting, at)
		}
		if err == nil && !b.closed {
			b.done.Go(func() { b.remind(at) }) // the writer must not wait for the network
		}
		b.mu.Unlock()
		after(err)
	}
	if err := b.log.Offer(tx); err != nil {
		return err
	}
	b.counting[at]++
	return nil
}

// revive takes one message from dead to handled, if this lane counts it; the box's mu is held.
func (l *receiver) revive(at place, id int64, tx *store.Tx, after func(error)) (counted bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.progress[at.channel]
	if p == nil || p.join != at.join {
		return false, nil
	}
	tx.Unbury = []int64{id}
	if p.totals.Dead > 0 { // else the place was lost, and what it counted
		p.totals.Dead--
		p.totals.Handled++
	}
	tx.Progress = []store.Progress{l.change(at.channel, p)}
	p.dirty = false
	return true, l.submit(tx, []func(){l.settled(p)}, after)
}

// uncertain tells whether a count of one of the channels is being changed in the store; b.mu is held.
func (b *Inbox) uncertain(sender store.ID, o *wire.Open) bool {
	if len(b.counting) == 0 {
		return false
	}
	for _, c := range o.Channels {
		if b.counting[place{sender, c.Name, c.Join}] > 0 {
			return true
		}
	}
	return false
}
