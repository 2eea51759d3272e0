package inbox

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// A batch above largeBatch counts against the inbox's account from its first piece until its messages are handled, and so does the garbage
// that its frames leave; smaller ones are no different from what comes whole.
const (
	largeBatch = 1 << 20
	sweepEvery = 8 << 20          // bytes of pieces between two runs of the garbage collector
	forsaken   = 30 * time.Second // a batch of which no piece comes for so long gives its room to one that waits
)

// partial is a batch being put together from pieces.
type partial struct {
	buf     []byte
	charge  int // in the account
	touched time.Duration
}

// account bounds the bytes of large batches in memory over all lanes of an inbox: those under way wait for their turn.
type account struct {
	mu    sync.Mutex
	limit int
	used  int
	swept int // bytes of pieces that came since the garbage collector ran
	turns []*receiver
}

// take charges n bytes, if there is room. The first to ask is always served, so that what is above the limit gets through, alone.
func (a *account) take(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used > 0 && a.used+n > a.limit {
		return false
	}
	a.used += n
	return true
}

// fits tells whether take would succeed now.
func (a *account) fits(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used == 0 || a.used+n <= a.limit
}

// wait puts a lane in line; it is told when there is room again.
func (a *account) wait(l *receiver) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.turns {
		if w == l {
			return
		}
	}
	a.turns = append(a.turns, l)
}

// give returns n bytes and tells the lane that has waited longest.
func (a *account) give(n int) {
	if n == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used -= n
	if len(a.turns) > 0 {
		notify(a.turns[0].say)
		a.turns = a.turns[1:]
	}
}

// sweep runs the garbage collector when pieces have left much behind, those too that were not taken: a lost frame makes garbage of all that are
// under way behind it. Beside a live batch of 64 MiB it would let as much garbage gather
// before it runs by itself.
func (a *account) sweep(n int) {
	a.mu.Lock()
	a.swept += n
	due := a.swept >= sweepEvery
	if due {
		a.swept = 0
	}
	a.mu.Unlock()
	if due {
		runtime.GC()
	}
}

// admitPiece makes room for the batch that a piece begins, or puts the lane in line; false: the piece is not to be taken now. l.mu is held.
func (l *receiver) admitPiece(d *wire.Data) bool {
	p := d.Piece
	if p.Offset > 0 {
		return true
	}
	l.scrap(d.Channel)
	l.machine.Restart(d.Channel)
	n := int(p.Total)
	if n <= largeBatch {
		n = 0
	} else if !l.box.account.take(n) {
		l.starved = n
		l.box.account.wait(l)
		return false
	}
	if n >= sweepEvery {
		debug.FreeOSMemory() // else the batch before this one would count as much again
	}
	l.partial[d.Channel] = &partial{buf: make([]byte, 0, p.Total), charge: n, touched: l.box.now()}
	return true
}

// piece adds a piece that was taken, and queues the batch when it is whole. Before is the channel's place before it. l.mu is held.
func (l *receiver) piece(d *wire.Data, it *item, before lane.Position) {
	p := l.partial[d.Channel]
	if p == nil || d.Piece.Offset != uint64(len(p.buf)) || len(p.buf)+len(d.Piece.Data) > cap(p.buf) {
		l.void(d.Channel, before)
		return
	}
	p.buf = append(p.buf, d.Piece.Data...)
	p.touched = l.box.now()
	notify(l.say)
	if uint64(len(p.buf)) < d.Piece.Total {
		return
	}
	b, err := d.ParseWhole(l.box.opt.Batches, p.buf)
	if errors.Is(err, wire.ErrVersion) {
		l.scrap(d.Channel)
		l.machine.Recall(d.Channel, before)
		l.ban(d.Channel, &refusal{reason: fmt.Sprintf("no common version: %v; this node reads batches of version %d", err, wire.BatchVersion)})
		notify(l.say)
		return
	}
	if it.charge = p.charge; p.charge == 0 {
		it.bytes += len(p.buf)
	}
	if err != nil {
		bad := []bad{newBad(d.Piece.First, d.Last, p.buf, err)}
		if !l.condemn(d, bad) {
			l.void(d.Channel, before)
			return
		}
		it.giveUp(bad)
	} else {
		it.batches, it.blobs = []wire.Batch{b}, [][]byte{p.buf}
	}
	delete(l.suspects, d.Channel)
	delete(l.partial, d.Channel)
	l.enqueue(*it)
}

// scrap drops what was begun of a channel's batch. l.mu is held.
func (l *receiver) scrap(channel string) {
	if p := l.partial[channel]; p != nil {
		delete(l.partial, channel)
		l.box.account.give(p.charge)
	}
}

// void drops the lane's memory of a channel back to an earlier place, and asks for a new session. l.mu is held.
func (l *receiver) void(channel string, to lane.Position) {
	l.scrap(channel)
	l.machine.Recall(channel, to)
	l.lost = true
	notify(l.say)
}

// forsake gives back the room of large batches whose sender has fallen silent.
func (l *receiver) forsake(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, p := range l.partial {
		if p.charge > 0 && now-p.touched >= forsaken {
			l.scrap(name)
			l.machine.Restart(name)
			l.lost = true
			notify(l.say)
		}
	}
}
