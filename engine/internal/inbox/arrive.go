package inbox

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// quiet is the least time between two answers that nothing but repeated or early frames ask for.
const quiet = 10 * time.Millisecond

// data takes a data frame.
func (b *Inbox) data(a wire.Address, data []byte) {
	var d wire.Data
	if err := d.Parse(data); err != nil {
		b.reject(wire.FaultOf(err), a.From, a.Channel, err.Error())
		return
	}
	if d.ReceiverRun != b.log.Run() {
		b.reject(wire.Stale, a.From, a.Channel, "data: for the process before this one, or another instance")
		return
	}
	if d.Channel != a.Channel {
		b.reject(wire.Impostor, a.From, a.Channel, "data: the frame is of channel "+d.Channel)
		return
	}
	b.mu.Lock()
	l := b.sessions[sessionKey{a.From, d.Session}]
	b.mu.Unlock()
	if l == nil {
		b.unknown(a.From, d.Session)
		return
	}
	l.arrive(a.From, &d)
	if p := d.Piece; p != nil && p.Total > largeBatch {
		b.account.sweep(len(p.Data)) // what came in vain is garbage too
	}
}

// unknown tells a sender that its session is not known here, as happens when the answer to an open was lost with a process.
func (b *Inbox) unknown(node string, s wire.Session) {
	sender, _, ok := b.opt.Member(node)
	if !ok {
		b.reject(wire.Stranger, node, "", "data: from a node that has not announced itself")
		return
	}
	b.reject(wire.Stale, node, "", "data: of a session that is not known here")
	if !b.mayDeny(node) {
		return
	}
	st := wire.Status{ReceiverStore: b.log.ID(), ReceiverRun: b.log.Run(), SenderStore: sender, Session: s, State: wire.Unknown}
	b.publish(node, &st)
}

// maxDenied bounds the nodes whose last denial is remembered.
const maxDenied = 4096

// mayDeny tells whether it is long enough since the node was told.
func (b *Inbox) mayDeny(node string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if at, told := b.denied[node]; told && now-at < quiet {
		return false
	}
	if len(b.denied) >= maxDenied {
		clear(b.denied)
	}
	b.denied[node] = now
	return true
}

// arrive judges a frame and queues what is new of it.
func (l *receiver) arrive(from string, d *wire.Data) {
	batches, damaged, err := d.ParseBatches(l.box.opt.Batches, make([]wire.Batch, 0, len(d.Batches)))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return // with the next frame the sender is told that the session is unknown
	}
	if from != l.node {
		l.box.reject(wire.Impostor, from, d.Channel, "data: the session is another node's")
		return
	}
	now := l.box.now()
	l.touched = now
	arrival := lane.Arrival{Number: d.Number, Channel: d.Channel, Join: d.Join, Prev: lane.Position(d.Prev), Run: d.Run, Last: d.Last,
		Empty: len(d.Batches) == 0 && len(d.Skips) == 0 && d.Piece == nil}
	if d.Piece != nil {
		arrival.Piece = &lane.Piece{Offset: d.Piece.Offset, Length: uint64(len(d.Piece.Data)), Total: d.Piece.Total}
	}
	if l.refuse(&arrival, err) {
		return
	}
	if l.full() { // as if it had been lost: the sender is asked for it again
		l.gap = true
		l.nudge(now)
		return
	}
	var bad []bad
	if _, carried := l.machine.Place(d.Channel); carried && len(damaged) > 0 && d.Number == l.machine.Received()+1 {
		if bad = badOf(d, damaged); !l.condemn(d, bad) {
			l.gap = true
			l.nudge(now)
			return
		}
	}
	if d.Piece != nil && d.Number == l.machine.Received()+1 && !l.admitPiece(d) {
		l.nudge(now)
		return
	}
	before, _ := l.machine.Place(d.Channel)
	verdict, after := l.machine.Arrive(arrival)
	switch verdict {
	case lane.Take:
		l.gap, l.starved = false, 0
		it := newItem(d, after, batches, now)
		it.giveUp(bad)
		if d.Piece != nil {
			l.piece(d, &it, before.Received)
			return
		}
		l.scrap(d.Channel)
		delete(l.suspects, d.Channel)
		l.enqueue(it)
	case lane.Missing:
		l.gap = true
		l.nudge(now)
	case lane.Duplicate:
		if arrival.Empty {
			notify(l.say)
		} else {
			l.box.reject(wire.Repeated, from, d.Channel, "data: a frame came again")
			l.nudge(now)
		}
	case lane.Stale:
		l.lost = true
		notify(l.say)
	}
}

// full tells whether as much is queued as may be: in the lane, or in all of them, where one that has nothing queued may always take a frame,
// so that none waits for what another's handler does. l.mu is held.
func (l *receiver) full() bool {
	return l.queued >= l.box.opt.MaxBytes || l.queued > 0 && l.box.queued.Load() >= int64(l.box.opt.MaxQueued)
}

// nudge answers, but not too often: whatever is still wrong asks again. l.mu is held.
func (l *receiver) nudge(now time.Duration) {
	if now-l.saidAt >= quiet {
		l.saidAt = now
		notify(l.say)
	}
}

// skipBytes is about what a skip takes in memory.
const skipBytes = 32

// newItem is what a frame brings above from; the batches are those that are in order.
func newItem(d *wire.Data, from uint64, batches []wire.Batch, now time.Duration) item {
	it := item{channel: d.Channel, join: d.Join, run: d.Run, from: from, skips: d.Skips, batches: batches, bytes: skipBytes * len(d.Skips), engineNow: d.EngineNow, arrived: now}
	for i := range d.Batches {
		it.bytes += len(d.Batches[i].Blob)
	}
	for i, next := 0, 0; next < len(batches); i++ {
		if d.Batches[i].First == batches[next].Head.First {
			it.blobs = append(it.blobs, d.Batches[i].Blob)
			next++
		}
	}
	return it
}

func (l *receiver) enqueue(it item) {
	l.queue = append(l.queue, it)
	l.queued += it.bytes
	l.box.queued.Add(int64(it.bytes))
	notify(l.more)
	if l.unsaid += it.bytes; l.unsaid >= sayEvery {
		notify(l.say)
	}
}

// sayEvery is how many bytes may be taken without word of it: the sender counts on it to learn what the link bears.
const sayEvery = 8 << 10
