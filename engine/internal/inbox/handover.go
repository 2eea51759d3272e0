package inbox

import (
	"errors"
	"time"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// handover is the lane's goroutine: it takes what was queued, in order, one message at a time.
func (l *receiver) handover() {
	for {
		it, ok := l.pop()
		if !ok {
			select {
			case <-l.more:
				continue
			case <-l.gone:
				return
			case <-l.box.ctx.Done():
				return
			}
		}
		if !l.process(&it) || l.box.ctx.Err() != nil {
			return
		}
		charge := it.charge
		it = item{} // its memory may go before the account says so
		l.box.account.give(charge)
	}
}

func (l *receiver) pop() (item, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.busy = false
		return item{}, false
	}
	it := l.queue[0]
	l.queue[0] = item{}
	l.queue = l.queue[1:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	l.queued -= it.bytes
	l.box.queued.Add(-int64(it.bytes))
	l.busy = true
	if l.gap && l.queued < l.box.opt.MaxBytes/2 {
		notify(l.say) // there is room again for what was not taken
	}
	return it, true
}

// process hands over one frame's messages and counts its skips, in ascending order. It returns false if a message could not be brought
// to its end, for then nothing behind it may be handed over: the inbox stops, or the store has failed.
func (l *receiver) process(it *item) bool {
	skips := it.skips
	d := &Delivery{} // for one message after the other
	for i := range it.batches {
		b := &it.batches[i]
		for len(skips) > 0 && skips[0].To < b.Head.First {
			l.skip(it, skips[0])
			skips = skips[1:]
		}
		dec, err := b.Decoder()
		if err != nil { // its checksum is right: whoever sealed it made it so, and asking again brings the same
			skips = l.spoilt(it, i, b.Head.First, skips, err)
			continue
		}
		if ch := l.consumer(it); ch != nil && ch.journal {
			l.journal(it, i)
		}
		for seq := b.Head.First; seq <= b.Head.Last; seq++ {
			*d = Delivery{}
			if more, err := dec.Next(&d.Message); err != nil || !more {
				skips = l.spoilt(it, i, seq, skips, err)
				break
			}
			for len(skips) > 0 && skips[0].To < seq {
				l.skip(it, skips[0])
				skips = skips[1:]
			}
			if seq <= it.from || len(skips) > 0 && skips[0].From <= seq {
				continue
			}
			d.Sender, d.Node, d.Channel, d.Run, d.Seq = l.key.sender, l.node, it.channel, it.run, seq
			if !l.deliver(it, d) {
				return false
			}
		}
	}
	for _, s := range skips {
		l.skip(it, s)
	}
	return true
}

// skip ends messages without a handler.
func (l *receiver) skip(it *item, s wire.Skip) {
	if s.To <= it.from {
		return
	}
	if s.From <= it.from { // within a batch: sequences without a hole
		s.Count = min(s.Count, s.To-it.from)
	}
	if l.box.opt.Observed {
		l.box.opt.Event(Event{Kind: MessagesSkipped, Node: l.node, Channel: it.channel, Count: int(s.Count), Detail: s.Reason.String()})
	}
	if s.Reason == wire.Corrupt {
		l.keep(it, s.To)
	}
	l.advance(it, s.To, func(t *wire.Totals) {
		switch s.Reason {
		case wire.Expired:
			t.Expired += s.Count
		case wire.Purged:
			t.Purged += s.Count
		case wire.Overflow:
			t.Overflow += s.Count
		case wire.Pruned:
			t.Pruned += s.Count
		case wire.Corrupt:
			t.Corrupt += s.Count
		}
	})
}

// deliver brings one message to its end: handled, expired, or dead. It returns false if the inbox stops first, or the store fails.
func (l *receiver) deliver(it *item, d *Delivery) bool {
	if planted.NodeDedupe && d.Seq <= l.known(d.Channel) {
		l.advance(it, d.Seq, func(t *wire.Totals) { t.Handled++ })
		return true
	}
	key := attemptKey{d.Channel, it.join, d.Run, d.Seq}
	tried := l.attempts[key]
	if !l.approach() {
		return false
	}
	for {
		ch := l.consumer(it)
		if ch == nil {
			l.block(it, "") // what it waited for is no concern of the next
			return true     // the join ended: the message is not ours any more
		}
		if tried == 0 && l.expired(it, &d.Message) {
			l.expire(it, d, key)
			return true
		}
		if tried >= l.box.opt.MaxAttempts {
			return l.bury(it, d, tried, orText(d.LastError, "no attempt succeeded"))
		}
		if ch.writes.Load() && l.box.log.Full() {
			l.block(it, noRoom)
			if !l.pause(roomRetry) {
				return false
			}
			continue
		}
		if l.waits == noRoom {
			l.block(it, "")
		}
		select {
		case ch.turns <- struct{}{}:
		case <-l.box.ctx.Done():
			return false
		}
		if l.consumer(it) != ch { // the join ended while we waited
			<-ch.turns
			continue
		}
		careful := l.careful
		if careful && !l.tried(it, key, tried+1) {
			<-ch.turns
			return false
		}
		d.Attempt = tried + 1
		v := l.call(it, d, ch)
		<-ch.turns
		l.block(it, v.holds())
		switch v.Kind {
		case Ack:
			if careful {
				l.careful = false
				l.settle(l.box.ctx, 0)
			}
			delete(l.attempts, key)
			return l.box.ctx.Err() == nil
		case Dead:
			return l.bury(it, d, tried+1, orText(v.Reason, "rejected by its handler"))
		case Void:
			if careful && !l.tried(it, key, tried) { // the process has survived it, so it was no attempt
				return false
			}
			if !l.pause(v.Delay) {
				return false
			}
			continue
		case Retry:
		}
		tried++
		d.LastError = v.Reason
		l.box.opt.Event(Event{Kind: AttemptFailed, Node: d.Node, Channel: d.Channel, Detail: v.Reason, Attempt: tried})
		if !careful && !l.tried(it, key, tried) {
			return false
		}
		if tried < l.box.opt.MaxAttempts && !l.pause(v.Delay) {
			return false
		}
	}
}

// call makes one attempt, and submits what comes of an ack. The channel's turn is held, so that nothing of the same consumer is submitted before it.
func (l *receiver) call(it *item, d *Delivery, ch *channel) Verdict {
	if l.careful {
		failpoint.Pass("inbox.after-attempt")
	}
	called := l.observedNow()
	failpoint.Pass("inbox.before-handover")
	v := ch.consumer(l.box.ctx, d)
	failpoint.Pass("inbox.after-handover")
	if v.Kind != Ack {
		v.discard()
		return v
	}
	l.handled(it, d, called)
	if len(v.Segments)+len(v.State) > 0 {
		ch.writes.Store(true)
	}
	l.commit(it, d.Seq, &v)
	return v
}

// expire ends a message whose life is over.
func (l *receiver) expire(it *item, d *Delivery, key attemptKey) {
	l.box.opt.Event(Event{Kind: MessageExpired, Node: d.Node, Channel: d.Channel, Count: 1})
	l.advance(it, d.Seq, func(t *wire.Totals) { t.Expired++ })
	l.block(it, "")
	delete(l.attempts, key)
}

// errDiscarded is what Settled is told of effects that come with another verdict than Ack.
var errDiscarded = errors.New("the effects were discarded")

// discard tells the handler that its effects will not be. They are void before the next call may begin.
func (v *Verdict) discard() {
	if v.Settled != nil {
		v.Settled(errDiscarded)
	}
	if v.Queued != nil {
		v.Queued()
	}
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (l *receiver) consumer(it *item) *channel {
	ch := l.box.channel(it.channel)
	if ch == nil || ch.joinTo(l.key.sender, l.box.log.ID()) != it.join || !l.holds(it) {
		return nil
	}
	return ch
}

// expired tells whether a message's life ended before its first attempt. The sender's clock is read from the frame, and our own
// monotonic time since then is added, so that no wall clock counts.
func (l *receiver) expired(it *item, m *wire.Message) bool {
	if m.TTL == 0 {
		return false
	}
	return it.engineNow+(l.box.now()-it.arrived).Milliseconds() >= m.Engine+m.TTL
}

// tried makes an attempt durable. It returns false if that cannot be: the store has failed or is closed.
func (l *receiver) tried(it *item, key attemptKey, n int) bool {
	l.attempts[key] = n
	l.mu.Lock()
	p := store.Progress{Sender: l.key.sender, Node: l.node, Channel: it.channel, Join: it.join, Attempt: &store.Attempt{Run: key.run, Seq: key.seq, Count: n}}
	l.mu.Unlock()
	return l.box.log.Do(&store.Tx{Progress: []store.Progress{p}, Must: true}) == nil
}

// pause waits for the next attempt; the channel's turn is free meanwhile.
func (l *receiver) pause(d time.Duration) bool {
	if d <= 0 {
		d = l.box.opt.RetryInterval
	}
	l.retrying.Store(true)
	defer l.retrying.Store(false)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.box.ctx.Done():
		return false
	}
}

// bury commits the dead letter and the position together.
func (l *receiver) bury(it *item, d *Delivery, attempts int, reason string) bool {
	l.box.opt.Event(Event{Kind: DeadLettered, Node: d.Node, Channel: d.Channel, Detail: reason, Attempt: attempts})
	message, err := wire.SealOne(nil, &d.Message)
	if err != nil { // it came out of a batch, so it fits; keep the letter all the same
		l.box.opt.Event(Event{Kind: BatchCorrupt, Node: d.Node, Channel: d.Channel, Detail: "encode a dead letter: " + err.Error()})
	}
	letter := store.DeadLetter{Sender: d.Sender, Node: d.Node, Channel: d.Channel, Join: it.join, Run: d.Run, Seq: d.Seq, Reason: reason, Attempts: attempts,
		Wall: time.Now().UnixMilli(), Message: message}
	l.dead(it, d.Seq, letter)
	delete(l.attempts, attemptKey{d.Channel, it.join, d.Run, d.Seq})
	return l.box.ctx.Err() == nil
}
