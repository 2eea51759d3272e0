package inbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// ErrConsumer means the channel has a consumer already, or is not one this node reads.
var ErrConsumer = errors.New("the channel cannot take this consumer")

// Inbox is the receiving half of a node.
type Inbox struct {
	opt   Options
	log   Log
	pub   Publisher
	start time.Time

	mu       sync.Mutex
	channels map[string]*channel
	lanes    map[laneKey]*receiver
	sessions map[sessionKey]*receiver
	claimed  map[int64]bool // dead letters in somebody's hands
	told     map[place]int  // how often it is still to be told what a redrive changed; the word may get lost, and nothing asks for it
	counting map[place]int  // redriven messages whose count is being changed in the store
	early    early
	denied   map[string]time.Duration // when a node was last told that its session is unknown
	closed   bool

	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup
	sent    atomic.Uint64 // status frames
	frames  atomic.Uint64 // data frames that came in
	queued  atomic.Int64  // bytes, over all lanes
	account account

	evictedAt time.Duration // when room was made last; mu guards it
}

type laneKey struct {
	sender store.ID
	scope  string
}

// sessionKey names a session: a sender's number counts only together with who sends it.
type sessionKey struct {
	node    string
	session wire.Session
}

// channel is one channel this node reads.
type channel struct {
	name     string
	join     uint64
	own      uint64 // the join of this node to itself; 0: none
	consumer Consumer
	journal  bool
	renewed  bool // its join followed another while the consumer was there
	turns    chan struct{}
	writes   atomic.Bool // it has had effects: it needs room
}

// New returns an inbox. Close must be called.
func New(o Options, log Log, pub Publisher) *Inbox {
	ctx, cancel := context.WithCancel(context.Background())
	b := &Inbox{opt: o, log: log, pub: pub, start: time.Now(), channels: map[string]*channel{}, lanes: map[laneKey]*receiver{},
		sessions: map[sessionKey]*receiver{}, claimed: map[int64]bool{}, denied: map[string]time.Duration{}, told: map[place]int{}, counting: map[place]int{}, ctx: ctx, cancel: cancel, account: account{limit: o.MaxLarge}}
	b.done.Go(b.keepHouse)
	return b
}

func (b *Inbox) now() time.Duration { return time.Since(b.start) }

// joinTo is the number of this node's join to what a store sends.
func (ch *channel) joinTo(sender, self store.ID) uint64 {
	if sender == self {
		return ch.own
	}
	return ch.join
}

// Attach gives a join its consumer. From then on lanes for the channel may open. Own is the number under which the node reads what it sends itself, 0 if it
// does not. With journal, what is received is kept.
func (b *Inbox) Attach(name string, join, own uint64, c Consumer, journal bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.channels[name]; old != nil && old.join == join && !planted.AckUnconsumed {
		return ErrConsumer
	}
	b.channels[name] = &channel{name: name, join: join, own: own, consumer: c, journal: journal, turns: make(chan struct{}, max(b.opt.Parallel, 1))}
	return nil
}

// Rejoin gives a channel's consumer, if it has one, to the join that follows the one it has. What is queued of that is dropped; a message in the
// consumer's hands ends, and its effects stay.
func (b *Inbox) Rejoin(name string, join, own uint64) {
	b.mu.Lock()
	if old := b.channels[name]; old != nil {
		next := &channel{name: name, join: join, own: own, consumer: old.consumer, journal: old.journal, renewed: true, turns: old.turns}
		next.writes.Store(old.writes.Load())
		b.channels[name] = next
	}
	b.mu.Unlock()
	for _, l := range b.all() {
		l.forget(name)
	}
}

// Detach takes a channel out: its join ended. What is queued of it is dropped.
func (b *Inbox) Detach(name string) {
	b.mu.Lock()
	delete(b.channels, name)
	b.mu.Unlock()
	for _, l := range b.all() {
		l.forget(name)
	}
}

func (b *Inbox) channel(name string) *channel {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.channels[name]
}

// Receive takes an open or data frame. It may be called from several goroutines; frames of one lane must come from one.
func (b *Inbox) Receive(a wire.Address, data []byte) {
	switch a.Kind {
	case wire.SubjectOpen:
		b.open(a.From, data)
	case wire.SubjectData:
		b.frames.Add(1)
		b.data(a, data)
	default:
	}
}

func (b *Inbox) reject(f wire.Fault, node, channel, detail string) {
	b.opt.Event(Event{Kind: FrameRejected, Fault: f, Node: node, Channel: channel, Detail: detail})
}

// Positions lists what is committed and what is taken of every lane, for listings.
func (b *Inbox) Positions() []store.Position {
	var list []store.Position
	for _, l := range b.all() {
		list = append(list, l.positions()...)
	}
	return list
}

// Counts are the inbox's counters since the start.
type Counts struct {
	Frames, Statuses uint64
}

// Counts returns the counters.
func (b *Inbox) Counts() Counts {
	return Counts{Frames: b.frames.Load(), Statuses: b.sent.Load()}
}

// ErrHandler means a handler has not returned in time.
var ErrHandler = errors.New("a handler has not returned")

// Close lets running handlers end, starts no more, waits until every verdict is durable, and tells the senders. The log must still be
// open. If ctx ends while a handler runs, the error wraps ErrHandler; what that handler returns is lost, and its message comes again. So it
// is with verdicts that find no room on a full disk until ctx ends.
func (b *Inbox) Close(ctx context.Context) error {
	if err := b.Abort(ctx); err != nil {
		return err
	}
	for _, l := range b.all() {
		l.settle(ctx, 0)
		l.report()
	}
	return nil
}

// Abort lets running handlers end and starts no more; verdicts may be under way.
func (b *Inbox) Abort(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	ended := make(chan struct{})
	go func() { // ends with the last handler
		b.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ErrHandler
	}
}

func (b *Inbox) all() []*receiver {
	b.mu.Lock()
	defer b.mu.Unlock()
	lanes := make([]*receiver, 0, len(b.lanes))
	for _, l := range b.lanes {
		lanes = append(lanes, l)
	}
	return lanes
}
