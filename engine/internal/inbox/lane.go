package inbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// receiver is one lane: what arrives from one sender, in order, until it is committed. Frames come in under mu; the goroutine
// that hands over and the one that reports belong to the lane and end with the inbox.
type receiver struct {
	box *Inbox
	key laneKey

	mu        sync.Mutex
	node      string
	session   wire.Session
	machine   *lane.Receiver
	progress  map[string]*progress
	partial   map[string]*partial // batches being put together from pieces
	suspects  map[string]suspect  // by channel: what came damaged last, where the next frame was to be
	queue     []item
	queued    int                 // bytes
	refused   map[string]*refusal // channels of the session of which nothing is taken
	gap       bool
	starved   int    // bytes of the large batch that waits for its turn; 0: none does
	unsaid    int    // bytes taken since the last status
	busy      bool   // a message is being handed over, or waits for its next attempt
	blocked   string // why a message cannot be handed over, or its consumer gives no verdict; empty: nothing of that
	opened    bool   // an open is to be answered
	answer    []wire.StatusChannel
	lost      bool // the session is unknown or void: tell the sender
	saidAt    time.Duration
	commits   int           // transactions under way
	room      sync.Cond     // commits fell, or the pacer ended
	paced     bool          // the pacer runs
	pacer     *time.Timer   // ends the pause between two commits
	touched   time.Duration // when a frame or an open came in last
	retired   bool          // nothing is taken any more
	pending   int           // bytes of the transactions under way
	flushedAt time.Duration // when positions alone were last submitted

	more chan struct{} // capacity 1: the queue has something
	say  chan struct{} // capacity 1: there is something to report
	gone chan struct{} // closed when the lane is given up

	retrying atomic.Bool // a message waits for its next attempt; see States

	// owned by handover
	waits    string // as blocked
	careful  bool   // the process died before: the first message runs alone
	passed   int    // and so many were handed over since; -1: it did not, or that is long past
	attempts map[attemptKey]int
}

type attemptKey struct {
	channel string
	join    uint64
	run     store.ID
	seq     uint64
}

// item is one frame's worth of messages and skips of one channel.
type item struct {
	channel   string
	join      uint64
	run       store.ID
	from      uint64 // sequences up to here are known
	skips     []wire.Skip
	batches   []wire.Batch
	blobs     [][]byte // the batches as they lie
	bad       []bad    // what of the skips came damaged, in ascending order
	bytes     int
	charge    int           // bytes in the account of large batches
	engineNow int64         // the sender's engine time when it left
	arrived   time.Duration // ours when it came
}

func newReceiver(b *Inbox, k laneKey, node string) *receiver {
	l := &receiver{box: b, key: k, node: node, machine: lane.NewReceiver(), progress: map[string]*progress{}, partial: map[string]*partial{}, suspects: map[string]suspect{}, refused: map[string]*refusal{},
		more: make(chan struct{}, 1), say: make(chan struct{}, 1), gone: make(chan struct{}), touched: b.now(), careful: !b.log.WasClean(), attempts: map[attemptKey]int{}}
	l.room.L = &l.mu
	l.pacer = time.AfterFunc(time.Hour, l.unpaced)
	l.pacer.Stop()
	if !l.careful {
		l.passed = -1
	}
	for _, a := range b.log.Attempts(k.sender) {
		l.attempts[attemptKey{a.Channel, a.Join, a.Run, a.Seq}] = a.Count
	}
	return l
}

func (l *receiver) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.machine.Forget(name)
	delete(l.progress, name)
	delete(l.suspects, name)
	l.scrap(name)
	delete(l.refused, name)
}

func (l *receiver) positions() []store.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []store.Position
	for name, p := range l.progress {
		list = append(list, store.Position{Sender: l.key.sender, Channel: name, Join: p.join, Run: p.committed.Run, Seq: p.committed.Seq, Totals: store.Totals(p.committedTotals)})
	}
	return list
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
