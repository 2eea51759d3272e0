package inbox

import (
	"context"
	"time"

	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// speculation bounds the transactions of a lane that are under way: how far handlers may run ahead of what is durable.
const speculation = 4096

// speculationBytes bounds what these transactions write.
const speculationBytes = 32 << 20

// commitEvery is the least time between two commits of a lane that only move positions.
const commitEvery = 2 * time.Millisecond

// maxOlder bounds the places in earlier runs of a sender that are reported and kept.
const maxOlder = 64

// progress is a lane's place in one channel: what has its verdict, and what of that is committed.
type progress struct {
	join            uint64
	position        wire.Position
	totals          wire.Totals
	older           []wire.Position // last places in earlier runs, newest first
	committed       wire.Position
	committedTotals wire.Totals
	journal         []store.Received // what the next commit keeps
	bad             []store.BadBatch // what the next commit keeps, too
	dirty           bool             // position or totals are ahead of every transaction under way
}

// reported lists the durable places, newest run first.
func (p *progress) reported() []wire.Position {
	if p.committed == (wire.Position{}) {
		return nil
	}
	return append([]wire.Position{p.committed}, p.older...)
}

func (p *progress) moveTo(run store.ID, seq uint64) {
	if p.position.Run != run && p.position != (wire.Position{}) {
		p.older = append([]wire.Position{p.position}, p.older...)
		p.older = p.older[:min(len(p.older), maxOlder)]
	}
	p.position = wire.Position{Run: run, Seq: seq}
}

// change is what a commit of p as it is now stores; l.mu is held.
func (l *receiver) change(name string, p *progress) store.Progress {
	c := store.Progress{Sender: l.key.sender, Node: l.node, Channel: name, Join: p.join, Run: p.position.Run, Seq: p.position.Seq, Totals: store.Totals(p.totals), Journal: p.journal, Bad: p.bad}
	p.journal, p.bad = nil, nil
	return c
}

// advance moves the place without anything else to commit. Such moves share a transaction: at most one is under way, and what has
// gathered meanwhile goes with the next.
func (l *receiver) advance(it *item, seq uint64, count func(*wire.Totals)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.progress[it.channel]
	if p == nil || p.join != it.join {
		return
	}
	p.moveTo(it.run, seq)
	count(&p.totals)
	p.dirty = true
	if l.commits == 0 && !l.paced {
		l.pace()
	}
}

// pace submits at once after a pause, and otherwise once in a while: a position's commit costs a sync of the disk, which a steady
// flow must not pay for every message. l.mu is held.
func (l *receiver) pace() {
	wait := commitEvery - (l.box.now() - l.flushedAt)
	if wait <= 0 {
		l.flush()
		return
	}
	l.paced = true
	l.pacer.Reset(wait)
}

// unpaced is the pacer's end.
func (l *receiver) unpaced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paced = false
	if l.commits == 0 {
		l.flush()
	}
	l.room.Broadcast()
}

// flush submits every place that is ahead; l.mu is held.
func (l *receiver) flush() {
	var tx store.Tx
	var done []func()
	for name, p := range l.progress {
		if p.dirty {
			tx.Progress = append(tx.Progress, l.change(name, p))
			done = append(done, l.settled(p))
			p.dirty = false
		}
	}
	if len(tx.Progress) > 0 {
		l.flushedAt = l.box.now()
		// A closed store ends the lane too: what is not committed is handed over again by the next process.
		_ = l.submit(&tx, done, nil)
	}
}

// settled returns what a commit of p as it is now makes true; l.mu is held at both times.
func (l *receiver) settled(p *progress) func() {
	position, totals := p.position, p.totals
	return func() { p.committed, p.committedTotals = position, totals }
}

// submit queues a transaction; l.mu is held. On an error the store is closed, and after is not called.
func (l *receiver) submit(tx *store.Tx, done []func(), after func(error)) error {
	size := weight(tx)
	l.commits++
	l.pending += size
	tx.Must = true
	if planted.AckBeforeCommit {
		for _, f := range done {
			f()
		}
		notify(l.say)
	}
	tx.Done = func(err error) {
		l.mu.Lock()
		l.commits--
		l.pending -= size
		if err == nil {
			for _, f := range done {
				f()
			}
			if l.commits == 0 && !l.paced && l.ahead() {
				l.pace()
			}
		}
		l.room.Broadcast()
		l.mu.Unlock()
		if after != nil {
			after(err)
		}
		if err == nil {
			notify(l.say)
		}
	}
	if err := l.box.log.Offer(tx); err != nil {
		l.commits--
		l.pending -= size
		l.room.Broadcast()
		return err
	}
	return nil
}

// weight is how many bytes a transaction writes, about.
func weight(tx *store.Tx) (n int) {
	for i := range tx.Segments {
		n += len(tx.Segments[i].Body)
	}
	for i := range tx.State {
		n += len(tx.State[i].Key) + len(tx.State[i].Value)
	}
	return n
}

// commit records an ack: the new place, and with it what the handler wants written.
func (l *receiver) commit(it *item, seq uint64, v *Verdict) {
	if len(v.Segments) == 0 && len(v.State) == 0 && v.Settled == nil {
		l.advance(it, seq, func(t *wire.Totals) { t.Handled++ })
		if v.Queued != nil {
			v.Queued()
		}
		return
	}
	l.together(it, seq, func(t *wire.Totals) { t.Handled++ }, &store.Tx{Segments: v.Segments, State: v.State}, v.Settled)
	if v.Queued != nil {
		v.Queued()
	}
	l.settleWithin(speculation)
}

// dead records a dead letter with the place behind it.
func (l *receiver) dead(it *item, seq uint64, letter store.DeadLetter) {
	l.together(it, seq, func(t *wire.Totals) { t.Dead++ }, &store.Tx{Progress: []store.Progress{{Dead: []store.DeadLetter{letter}}}}, nil)
}

// together moves the place in the same transaction as what tx holds.
func (l *receiver) together(it *item, seq uint64, count func(*wire.Totals), tx *store.Tx, after func(error)) {
	l.mu.Lock()
	err := l.submitAt(it, seq, count, tx, after)
	l.mu.Unlock()
	if err != nil && after != nil {
		after(err)
	}
}

// submitAt is together under l.mu.
func (l *receiver) submitAt(it *item, seq uint64, count func(*wire.Totals), tx *store.Tx, after func(error)) error {
	p := l.progress[it.channel]
	if p == nil || p.join != it.join { // the join ended while its handler ran: what it did stays, and the place is gone
		if after == nil && len(tx.Segments)+len(tx.State) == 0 {
			return nil
		}
		tx.Progress = nil
		return l.submit(tx, nil, after)
	}
	p.moveTo(it.run, seq)
	count(&p.totals)
	if planted.EffectApart && len(tx.State) > 0 {
		p.dirty = true
		if !l.paced {
			l.flushedAt = l.box.now()
			l.pace()
		}
		return l.submit(tx, nil, after)
	}
	change := l.change(it.channel, p)
	if len(tx.Progress) > 0 {
		change.Dead = tx.Progress[0].Dead
	}
	tx.Progress = []store.Progress{change}
	p.dirty = false
	return l.submit(tx, []func(){l.settled(p)}, after)
}

// settleWithin is settle for the goroutine that hands over, which must not pay for a context when there is nothing to wait for.
func (l *receiver) settleWithin(n int) {
	l.mu.Lock()
	wait := l.commits > n || l.pending > speculationBytes
	l.mu.Unlock()
	if wait {
		l.settle(l.box.ctx, n)
	}
}

// ahead tells whether any place is ahead of every transaction; l.mu is held.
func (l *receiver) ahead() bool {
	for _, p := range l.progress {
		if p.dirty {
			return true
		}
	}
	return false
}

// settle waits until no more than n transactions are under way; with 0 also until every place is durable. It gives up when ctx ends.
func (l *receiver) settle(ctx context.Context, n int) {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.room.Broadcast()
	})
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for ctx.Err() == nil && (l.commits > n || l.pending > speculationBytes || n == 0 && l.paced) {
		l.room.Wait()
	}
}
