package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
)

// node is one node of the network over all its runs. The driver alone uses it, but for what is said to be shared.
type node struct {
	w        *world
	plan     *nodePlan
	disk     *crashvfs.Disk
	full     *crashvfs.Disk     // the one that was last made full
	copy     *crashvfs.Snapshot // the backup
	made     int                // when that was made, as an index in the history
	run      *run               // nil: down
	runs     int
	joins    map[string]uint64 // the numbers of its joins, as far as is known
	narrowed *joinPlan         // what it reads no more for a while
	sent     int               // messages the writers were asked for, ever
	sick     atomic.Int32      // by how many faults its handlers fail; shared
	lacking  atomic.Int32      // by how many faults its handlers lack what they need; shared
	ahead    atomic.Int64      // of its wall clock, in nanoseconds; shared
}

// run is one start of a node.
type run struct {
	n        *node
	number   int
	c        *engine.Connection
	abort    func()
	states   func() []string
	mu       sync.Mutex
	channels map[string]*engine.Channel // under mu
	plugins  map[string]*plugin         // under mu
	letters  map[string]int             // by how many redrives each dead letter is tried, by message id; under mu
	redriven map[*engine.Message]bool   // under mu
	large    atomic.Bool                // the next message does not fit into a small payload
	tokens   chan int                   // how many messages to send now
	ending   chan struct{}              // closed: no more sends
	dead     chan struct{}              // closed: the process is gone; what it still does has no meaning
	tasks    sync.WaitGroup
}

// start brings the node up. The network lets it in only when it has joined everything, so that it takes up all its lanes at once.
func (n *node) start(why string) {
	w := n.w
	n.disk.SetSlow(n.plan.sync)
	n.disk.SetFull(false) // a join that has to be written waits for room, and the driver with it
	w.net.Disconnect(n.plan.id)
	h := &harness.Harness{Dial: w.net.Dial, VFS: n.disk.Name(), Wall: n.wall}
	c := n.plan.config
	c.StoragePath = n.plan.id + ".db"
	connection, err := engine.New(&c, engine.SetHarness(h), engine.SetLogger(w.logger(n.plan.id)))
	if err != nil {
		w.trouble(n, "start: %v", err)
		return
	}
	n.runs++
	r := &run{n: n, number: n.runs, c: connection, abort: h.Abort, states: h.States, channels: map[string]*engine.Channel{}, plugins: map[string]*plugin{},
		letters: map[string]int{}, redriven: map[*engine.Message]bool{}, tokens: make(chan int, 64),
		ending: make(chan struct{}), dead: make(chan struct{})}
	n.run = r
	cross := n.plan.late == 0
	w.history.add(Event{Kind: Started, Node: n.plan.id, Run: r.number, Note: why, Cross: cross, Ordered: n.plan.ordered})
	w.stores[connection.StoreID()], w.current[n.plan.id] = n.plan.id, connection.StoreID()
	for _, in := range connection.Inbound() {
		if n.joins[in.Channel] > in.Join {
			continue // of a join that is over
		}
		if sender := w.sender(in); sender != "" {
			w.history.add(Event{Kind: Resumed, Node: n.plan.id, Run: r.number, Channel: in.Channel, Sender: sender, Seq: in.Position, Count: in.Handled})
		}
	}
	for _, j := range n.plan.joins {
		r.join(j)
	}
	for i, j := range n.plan.joins {
		if j.reads() {
			r.attach(j, i)
		}
	}
	r.tasks.Go(r.write)
	w.audit()
	if w.away[n.plan.id] == 0 {
		w.net.Reconnect(n.plan.id)
	}
}

// wall is what the node takes for the date.
func (n *node) wall() time.Time { return time.Now().Add(time.Duration(n.ahead.Load())) }

func (r *run) join(j joinPlan) {
	var opts []engine.JoinOption
	if j.own {
		opts = append(opts, engine.Own())
	}
	if j.journal && j.reads() {
		opts = append(opts, engine.Journal(1000*time.Hour))
	}
	ch, err := r.c.JoinChannel(j.channel, j.mode, opts...)
	if err != nil {
		r.n.w.trouble(r.n, "join %s: %v", j.channel, err)
		return
	}
	r.mu.Lock()
	r.channels[j.channel] = ch
	r.mu.Unlock()
	for _, info := range r.c.Joined() {
		if info.Channel == j.channel {
			r.n.joins[j.channel] = info.Number
			r.n.w.history.add(Event{Kind: Joined, Node: r.n.plan.id, Run: r.number, Channel: j.channel, Count: info.Number})
		}
	}
}

// channel is a channel that the run has joined; it may have left it since.
func (r *run) channel(name string) *engine.Channel {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.channels[name]
}

// attach gives a channel its consumer, at once or late.
func (r *run) attach(j joinPlan, i int) {
	ch := r.channel(j.channel)
	if ch == nil {
		return
	}
	consumer := &consumer{run: r, join: j}
	now := func() {
		var err error
		if j.effects {
			err = ch.Handle(consumer.handle)
		} else {
			err = ch.OnMessage(consumer.callback)
		}
		if err != nil && !errors.Is(err, engine.ErrLeft) { // it was kicked meanwhile
			r.n.w.trouble(r.n, "attach to %s: %v", j.channel, err)
		}
	}
	if r.n.plan.late == 0 || i%2 == 0 {
		now()
		return
	}
	r.tasks.Go(func() {
		if r.pause(r.n.plan.late) {
			now()
		}
	})
}

// pause waits, and tells whether the process is still there.
func (r *run) pause(d time.Duration) bool {
	if d <= 0 {
		return r.alive()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return r.alive()
	case <-r.dead:
		return false
	}
}

func (r *run) alive() bool {
	select {
	case <-r.dead:
		return false
	default:
		return true
	}
}

// crash ends the run as a killed process.
func (n *node) crash(why string) {
	r := n.run
	close(r.ending)
	close(r.dead)
	n.w.within(n, "abort", r.abort)
	n.w.within(n, "end of its tasks", r.tasks.Wait)
	n.run = nil
	n.w.history.add(Event{Kind: Stopped, Node: n.plan.id, Run: r.number, Note: why})
}

// leave ends the run in order.
func (n *node) leave() {
	r := n.run
	close(r.ending)
	n.w.within(n, "close", func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := r.c.Close(ctx); err != nil && n.full != n.disk { // what has no room is not marked as closed
			n.w.trouble(n, "close: %v", err)
		}
	})
	close(r.dead)
	n.w.within(n, "end of its tasks", r.tasks.Wait)
	n.run = nil
	n.w.history.add(Event{Kind: Stopped, Node: n.plan.id, Run: r.number, Note: "closed"})
}

// swap puts another disk in the place of the node's, which is down.
func (n *node) swap(d *crashvfs.Disk) {
	n.disk.Close()
	n.disk = d
}

// readers lists who is on record as a reader of a channel this node writes, and their joins.
func (r *run) readers(channel string) (names []string, joins []uint64) {
	for _, a := range r.c.Accounts() {
		if a.Channel == channel && !a.Ended {
			names, joins = append(names, a.Reader), append(joins, a.Join)
		}
	}
	return names, joins
}

// state reads what the effects of a channel's messages left.
func (r *run) state(channel string) (map[string]int, error) {
	counts := map[string]int{}
	var key []byte
	for {
		next, ok, err := r.c.State().Next(namespace(channel), key)
		if err != nil || !ok {
			return counts, err
		}
		key = next
		value, _, err := r.c.State().Get(namespace(channel), key)
		if err != nil {
			return counts, err
		}
		counts[string(key)] = len(value)
	}
}

func namespace(channel string) string { return "seen/" + channel }

// sender is the node that an account is of; empty if it is of a store that the node does not have any more.
func (w *world) sender(in engine.InboundAccount) string {
	if n := w.stores[in.Store]; w.current[n] == in.Store {
		return n
	}
	return ""
}

func (w *world) trouble(n *node, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.history.add(Event{Kind: Trouble, Node: n.plan.id, Note: strings.ReplaceAll(text, "\n", " ")})
}

// logger stamps what a node logs with the simulation's time.
func (w *world) logger(id string) zerolog.Logger {
	return w.log.With().Str("on", id).Logger().Hook(zerolog.HookFunc(func(e *zerolog.Event, _ zerolog.Level, _ string) {
		e.Str("at", time.Since(w.history.start).Round(time.Millisecond).String())
	}))
}
