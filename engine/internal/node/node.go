package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/membership"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// maxHeard bounds the announcements that wait to be taken; one that finds no room is made again by its sender.
const maxHeard = 1024

// maxQueued bounds the bytes that wait for handlers, over all senders.
const maxQueued = 64 << 20

// Node is one node of the network.
type Node struct {
	opt   Options
	id    string
	log   zerolog.Logger
	store *store.Store
	conn  transport.Conn
	out   *outbox.Outbox
	in    *inbox.Inbox
	start time.Time

	mu        sync.Mutex
	view      *membership.View
	joins     map[string]*Join
	admitting map[store.AddReader]bool // being put on record
	rejoining map[string]bool          // channels whose later join is being put on record
	denials   map[string]*denial       // by subject
	closed    bool
	claim     claim

	fenced     atomic.Bool // another instance with this node's id is in the right, or none is
	claimed    atomic.Bool // it is known that there was none when this one first connected
	settled    atomic.Bool
	friends    sync.Map // by node: it is on record
	ahead      sync.Map // by channel, of the joins: those whose new readers begin with what comes
	connected  atomic.Bool
	serial     atomic.Uint64
	heard      chan heard
	strangers  chan heard      // of nodes that are not on record
	wake       chan struct{}   // capacity 1: joins, consumers or the connection changed
	delayed    chan struct{}   // capacity 1: delayed emits changed
	ailing     chan struct{}   // capacity 1: the store's condition changed
	asked      atomic.Bool     // announce with a question
	askLater   atomic.Bool     // it is due again
	askedAt    atomic.Int64    // when that was last done because of a node unheard of
	patterns   map[string]bool // subscribed to, of the membership goroutine
	admissions admissions
	leavesFrom int // which of the ended joins the next announcement names first, of the membership goroutine
	ctx        context.Context
	cancel     context.CancelFunc
	done       sync.WaitGroup
	count      counters
	limiter    limiter
	orders     *orders
}

// heard is what came in for the membership goroutine: an announcement, or an open, which waits its turn so that it is judged by what
// its sender announced before.
type heard struct {
	announcement *wire.Announcement
	partial      bool
	from         string // of an open
	open         []byte
}

type counters struct {
	keepalivesSent, keepalivesReceived, reconnects, overruns, denied, unheard, turnedAway atomic.Uint64
	faults                                                                                [wire.Faults]atomic.Uint64
}

// Open opens the store and starts the node; it connects in the background.
func Open(o Options) (*Node, error) {
	n := &Node{orders: newOrders(), opt: o, log: o.Logger, conn: o.Conn, start: time.Now(), joins: map[string]*Join{}, admitting: map[store.AddReader]bool{}, rejoining: map[string]bool{}, patterns: map[string]bool{}, denials: map[string]*denial{}, heard: make(chan heard, maxHeard), strangers: make(chan heard, maxHeard), admissions: admissions{done: make(chan struct{}, 1)}, wake: make(chan struct{}, 1), delayed: make(chan struct{}, 1), ailing: make(chan struct{}, 1)}
	if n.opt.Wall == nil {
		n.opt.Wall = time.Now
	}
	if o.Batches == (wire.Versions{}) {
		o.Batches = wire.KnownVersions()
		n.opt.Batches = o.Batches
	}
	so := o.Store
	so.Wall = n.opt.Wall
	so.PerChannel = o.PerChannel
	so.Seal = func(h store.BatchHead, segments [][]byte) []byte {
		blob := o.Batches.SealBatch(nil, wire.BatchHead(h), segments, o.Compress)
		if planted.EarlyFrame {
			n.out.Leak(store.Batch{Run: h.Run, Channel: h.Channel, First: h.First, Last: h.Last, Prev: h.Prev, Blob: blob})
		}
		return blob
	}
	so.SealHead = func(h store.BatchHead, segments [][]byte) []byte {
		return o.Batches.SealHead(wire.BatchHead(h), segments)
	}
	so.Check = func(blob []byte) error {
		if _, err := o.Batches.ParseBatch(blob); err != nil && !errors.Is(err, wire.ErrVersion) { // intact, and its readers may know the version
			return err
		}
		return nil
	}
	so.OnDamage = n.damaged
	so.OnCondition = func() {
		select {
		case n.ailing <- struct{}{}:
		default:
		}
	}
	so.OnAppend = func([]store.Batch) { n.out.Appended() }
	if o.Observe != nil {
		so.OnCommit = n.committed
	}
	if planted.SameRun {
		so.NewID = func() (id store.ID) { copy(id[:], so.NodeID); return id }
	}
	var err error
	if n.store, err = store.Open(so); err != nil {
		return nil, err
	}
	n.id = n.store.NodeID()
	if planted.ForgottenMark {
		n.store.Submit(&store.Tx{Closed: slices.Collect(maps.Keys(n.store.Heads()))})
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	names := n.names()
	for _, node := range names {
		n.friends.Store(node, true)
	}
	n.view = membership.NewView(n.id, membership.Limits{Settle: o.Offline, Offline: o.Offline, Broadcast: o.Broadcast, Forget: o.Forget}, n.joined, n.friend, names)
	pub := &publisher{node: n, local: "." + n.id + "." + n.id}
	n.out = outbox.New(outbox.Options{Node: n.id, Subjects: o.Subjects, MaxInFlight: o.MaxInFlight, MaxBytes: o.MaxBytes, AckTimeout: o.AckTimeout,
		MaxPerReceiver: o.MaxPerReceiver, Overflow: o.Overflow, MaxMessageSize: o.MaxMessageSize, PerChannel: o.PerChannel, Observed: o.Observe != nil, Event: n.outboxEvent, Batches: o.Batches, Suspension: o.RetryInterval},
		n.store, pub, n.keeps, func() int64 { return n.opt.Wall().UnixMilli() })
	n.in = inbox.New(inbox.Options{Node: n.id, Subjects: o.Subjects, RetryInterval: o.RetryInterval, MaxAttempts: o.MaxAttempts, Parallel: o.Parallel,
		MaxBytes: 2*o.MaxBytes + 1<<20, MaxQueued: max(maxQueued, 4*o.MaxBytes), MaxLarge: o.MaxMessageSize + 1<<20, MaxBatch: o.MaxMessageSize + 1<<20, Writer: n.writes, Member: n.member, Ask: n.askSoon, Deaf: n.deaf, Ended: n.ended, Prove: n.store.Prove, Rejoin: n.rejoin, OwnerOf: n.ownerOf, Event: n.inboxEvent, Observed: o.Observe != nil, Batches: o.Batches}, n.store, pub)
	if err := n.connect(); err != nil {
		n.Abort()
		return nil, err
	}
	n.done.Go(n.run)
	n.done.Go(n.sendDelayed)
	n.done.Go(n.clean)
	n.done.Go(n.obeyOrders)
	n.done.Go(n.watchStorage)
	return n, nil
}

func (n *Node) connect() error {
	s := &n.opt.Subjects
	patterns := []string{s.OpenTo(n.id), s.DiscoveryAll(), s.ManagementTo(n.id)}
	if !n.opt.Pooled {
		patterns = append(patterns, s.StatusTo(n.id))
	}
	for _, pattern := range patterns {
		if err := n.conn.Subscribe(pattern); err != nil {
			return fmt.Errorf("subscribe to %s: %w", pattern, err)
		}
	}
	if err := n.conn.Start((*receiver)(n)); err != nil {
		return fmt.Errorf("start the connection: %w", err)
	}
	return nil
}

func (n *Node) now() time.Duration { return time.Since(n.start) }

// ID is the node id, Store the open store.
func (n *Node) ID() string { return n.id }

// Store is the node's store, for reading and for transactions of its own.
func (n *Node) Store() *store.Store { return n.store }

// Outbox is the sending half.
func (n *Node) Outbox() *outbox.Outbox { return n.out }

// Inbox is the receiving half.
func (n *Node) Inbox() *inbox.Inbox { return n.in }

// Settled tells whether every reader can be assumed to be known.
func (n *Node) Settled() bool { return n.settled.Load() }

// Connected tells whether the network can be reached.
func (n *Node) Connected() bool { return n.connected.Load() }

// Uptime is the time since the node was opened.
func (n *Node) Uptime() time.Duration { return n.now() }

// joined runs under mu.
func (n *Node) joined(channel string) bool { return n.joins[channel] != nil }

func (n *Node) writes(node, channel string) bool {
	if node == n.id {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.view.Peer(node)
	if p == nil {
		return false
	}
	c, ok := p.Channel(channel)
	return !ok && !p.Whole || c.Role&wire.Writer != 0
}

// ownerOf is the node a store belongs to, as far as is known.
func (n *Node) ownerOf(id store.ID) (string, bool) {
	if id == n.store.ID() {
		return n.id, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.view.Owner(id)
}

// member tells the store and run that a node has announced.
func (n *Node) member(node string) (id, run store.ID, ok bool) {
	if node == n.id {
		return n.store.ID(), n.store.Run(), true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.view.Peer(node)
	if p == nil {
		return id, run, false
	}
	return p.Store, p.Run, true
}

// run is the membership goroutine.
func (n *Node) run() {
	ticks := newTicks(n.opt)
	defer ticks.stop()
	n.reconcileAll()
	for {
		select {
		case h := <-n.heard:
			n.hear(h, ticks)
		case h := <-n.strangers:
			for range len(n.heard) { // who is on record waits for no stranger
				n.hear(<-n.heard, ticks)
			}
			n.hear(h, ticks)
		case <-n.wake:
			n.changed(ticks)
		case <-ticks.claim.C:
			n.staked()
		case <-ticks.answer.C:
			ticks.due = false
			n.announce(false)
		case <-ticks.keepalive.C:
			ticks.keepalive.Reset(jitter(n.opt.Keepalive))
			n.keepalive()
		case <-ticks.broadcast.C:
			ticks.broadcast.Reset(jitter(n.opt.Broadcast))
			n.announce(false)
		case <-ticks.second.C:
			n.look()
			n.watch(ticks)
		case <-n.admissions.done:
		case <-n.ctx.Done():
			return
		}
		n.admitDue()
	}
}

type ticks struct {
	keepalive, broadcast, answer, claim *time.Timer
	second                              *time.Ticker
	due                                 bool // an answer is
}

// answerSoon makes this node announce itself shortly. It does not put off an answer that is due already: whoever asks all the time
// would keep it from everybody.
func (t *ticks) answerSoon() {
	if !t.due {
		t.due = true
		t.answer.Reset(jitter(answerWithin / 2))
	}
}

func newTicks(o Options) *ticks {
	t := &ticks{keepalive: time.NewTimer(jitter(o.Keepalive)), broadcast: time.NewTimer(jitter(o.Broadcast)), answer: time.NewTimer(time.Hour), claim: time.NewTimer(time.Hour),
		second: time.NewTicker(min(time.Second, max(o.Offline/8, time.Millisecond)))}
	t.answer.Stop()
	t.claim.Stop()
	return t
}

func (t *ticks) stop() {
	t.keepalive.Stop()
	t.broadcast.Stop()
	t.answer.Stop()
	t.claim.Stop()
	t.second.Stop()
}

// jitter spreads what many nodes do at the same interval.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

func (n *Node) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}
