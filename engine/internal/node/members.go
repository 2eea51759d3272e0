package node

import (
	"maps"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/membership"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// answerWithin spreads the answers to a newcomer.
const answerWithin = 100 * time.Millisecond

func (n *Node) hear(h heard, t *ticks) {
	if h.announcement == nil { // an open, which may be empty
		n.in.Receive(wire.Address{Kind: wire.SubjectOpen, To: n.id, From: h.from}, h.open)
		return
	}
	if h.announcement.Node == n.id {
		n.contest(h.announcement, t)
		return
	}
	if !n.stands(h.announcement, t) {
		return
	}
	n.mu.Lock()
	before, known := n.view.Holder(h.announcement.Store)
	refused := n.view.Refused()
	p, change := n.view.Hear(n.now(), h.announcement, h.partial)
	refused = n.view.Refused() - refused
	n.mu.Unlock()
	if refused > 0 {
		n.limiter.warn(n.log.With().Str("node", h.announcement.Node).Logger(), "room for nodes", "more nodes and channels are announced than can be remembered; this is not heeded")
	}
	if known && before != h.announcement.Node {
		n.moved(before, h.announcement.Node, p != nil)
	}
	if p == nil {
		return
	}
	if n.opt.Pooled && change != membership.Nothing {
		n.subscribeTo(p) // before any frame of its lanes is asked for
	}
	n.in.Announced(p.Node)
	if !p.Whole {
		n.askSoon()
	}
	if h.announcement.Ask {
		t.answerSoon()
	}
	switch change {
	case membership.Nothing:
		if h.partial {
			return // what it announces to all is compared once more with the record: a kick may have ended a join that it still believes in
		}
	case membership.Appeared:
		n.limiter.info(n.log.With().Str("node", p.Node).Logger(), "online", "a node is online")
		t.answerSoon() // it may have missed us
	case membership.Gone:
		n.limiter.info(n.log.With().Str("node", p.Node).Logger(), "goodbye", "a node said goodbye")
	case membership.Restarted, membership.Altered:
	}
	n.reconcile(p)
}

// ask makes the others announce themselves to everybody.
func (n *Node) ask() {
	n.asked.Store(true)
	n.poke()
}

// askSoon is ask for a node that opens a lane before it was heard of; strangers must not make everybody announce all the time.
func (n *Node) askSoon() {
	now := int64(n.now())
	if last := n.askedAt.Load(); (last == 0 || now-last >= int64(time.Second)) && n.askedAt.CompareAndSwap(last, now) {
		n.ask()
		return
	}
	n.askLater.Store(true)
}

// changed follows a change of this node's own joins, or of the connection.
func (n *Node) changed(t *ticks) {
	n.stake(t)
	n.subscribe()
	n.announce(n.asked.Swap(false)) // before any session opens, so that its reader knows our role
	n.reconcileAll()
	n.look()
}

// subscribe hears the members of the channels joined, and the data of those read: one subject a channel, so that NATS permissions can
// name them.
func (n *Node) subscribe() {
	wanted := map[string]bool{}
	for _, j := range n.Joins() {
		wanted[n.opt.Subjects.KeepaliveOn(j.Channel)] = true
		if j.Role&wire.Reader != 0 && !n.opt.Pooled {
			wanted[n.opt.Subjects.DataOn(j.Channel, n.id)] = true
		}
	}
	if n.opt.Pooled {
		n.wantPeers(wanted)
	}
	for pattern := range n.patterns {
		if !wanted[pattern] {
			delete(n.patterns, pattern)
			if err := n.conn.Unsubscribe(pattern); err != nil {
				n.log.Warn().Str("subject", pattern).Err(err).Msg("cannot unsubscribe")
			}
		}
	}
	n.subscribeAll(wanted)
}

// subscribeAll makes the subscriptions that there are not yet.
func (n *Node) subscribeAll(wanted map[string]bool) {
	for pattern := range wanted {
		if n.patterns[pattern] {
			continue
		}
		if err := n.conn.Subscribe(pattern); err != nil {
			n.log.Error().Str("subject", pattern).Err(err).Msg("cannot subscribe")
			continue
		}
		n.patterns[pattern] = true
	}
}

// wantPeers adds the subjects of every peer's lanes: each peer's go by one connection, so that they keep their order.
func (n *Node) wantPeers(wanted map[string]bool) {
	joins := n.Joins()
	n.mu.Lock()
	peers := n.view.Peers()
	n.mu.Unlock()
	for _, friends := range []bool{true, false} { // who is on record first
		for _, p := range peers {
			if n.friend(p.Node) == friends && len(wanted) < manyPatterns {
				n.wantPeer(wanted, joins, p)
			}
		}
	}
}

func (n *Node) wantPeer(wanted map[string]bool, joins []Join, p *membership.Peer) {
	wanted[n.opt.Subjects.Status(n.id, p.Node)] = true
	for _, j := range joins {
		if j.Role&wire.Reader != 0 {
			wanted[n.opt.Subjects.Data(j.Channel, n.id, p.Node)] = true
		}
	}
}

// subscribeTo adds what one peer's lanes need. What those need that are gone is given up when there is much of it.
func (n *Node) subscribeTo(p *membership.Peer) {
	if len(n.patterns) >= manyPatterns {
		n.limiter.warn(n.log, "subscriptions", "so many nodes are known that no more can be subscribed to one by one; those that come now wait until others are gone")
		return
	}
	wanted := map[string]bool{}
	n.wantPeer(wanted, n.Joins(), p)
	n.subscribeAll(wanted)
}

// manyPatterns bounds the subscriptions.
const manyPatterns = 16384

func (n *Node) reconcileAll() {
	n.mu.Lock()
	peers := n.view.Peers()
	n.mu.Unlock()
	for _, p := range peers {
		n.reconcile(p)
	}
	n.reconcileSelf()
}

// reconcile puts a peer's joins on record, durably, and only then lets its lanes open.
func (n *Node) reconcile(p *membership.Peer) {
	n.mu.Lock()
	id, node := p.Store, p.Node
	t := outbox.Target{Node: node, Store: id, Run: p.Run, Online: p.Online && !n.quiet(), Batches: p.Batches, Ready: map[string]uint64{}, Behind: map[string]uint64{}}
	left := append([]wire.OpenChannel(nil), p.Left...)
	var adds []store.AddReader
	for _, j := range n.joins {
		c, ok := p.Channel(j.Channel)
		if !ok || j.Role&wire.Writer == 0 || c.Role&wire.Reader == 0 {
			continue
		}
		adds = append(adds, store.AddReader{Store: id, Node: node, Channel: j.Channel, Join: c.Join, Start: j.Start, Replay: c.Replay})
		if c.Ready && p.Whole { // a lane that opens for some of the channels would send their messages ahead of older ones
			t.Ready[j.Channel] = c.Join
		}
	}
	n.mu.Unlock()
	for _, a := range adds { // before the leaves: a join that follows another ends it, and nothing can be pruned in between
		if newer, ok := n.out.Newer(id, a.Channel, a.Join); ok { // its database is an older copy: the open of its newer join tells it
			if _, ready := t.Ready[a.Channel]; ready {
				t.Ready[a.Channel], t.Behind[a.Channel] = newer.Join, a.Join
			}
			n.limiter.warn(n.log.With().Str("node", node).Str("channel", a.Channel).Uint64("join", a.Join).Uint64("newer", newer.Join).Logger(), "behind "+node+" "+a.Channel,
				"a reader announces an older join than it had: was its database restored from a copy?")
			if a.Join = newer.Join; !newer.Replaced {
				continue
			}
		}
		n.admit(a)
	}
	for _, r := range n.out.JoinsOf(id, left) {
		n.leave(id, r.Channel, r.Join)
	}
	n.out.SetTarget(t)
}

// reconcileSelf does the same for the channels whose own messages this node reads.
func (n *Node) reconcileSelf() {
	n.mu.Lock()
	t := outbox.Target{Node: n.id, Store: n.store.ID(), Run: n.store.Run(), Online: !n.fenced.Load(), Local: true, Batches: n.opt.Batches, Ready: map[string]uint64{}}
	var adds []store.AddReader
	for _, j := range n.joins {
		if !j.Own || j.Role != wire.Both {
			continue
		}
		adds = append(adds, store.AddReader{Store: t.Store, Node: n.id, Channel: j.Channel, Join: j.self, Start: store.StartOpen, Replay: j.Replay})
		if j.ready {
			t.Ready[j.Channel] = j.self
		}
	}
	n.mu.Unlock()
	for _, a := range adds {
		n.admit(a)
	}
	for _, r := range n.out.Readers() {
		if r.Store == t.Store && !r.Ended && n.ownEnded(r) {
			n.leave(r.Store, r.Channel, r.Join)
		}
	}
	n.out.SetTarget(t)
}

// ownEnded tells whether this node has joined the channel in another way since it read its own messages there.
func (n *Node) ownEnded(r store.Reader) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	j := n.joins[r.Channel]
	return j != nil && (!j.Own || j.Role != wire.Both || j.self != r.Join)
}

// look judges silence, and ends the keeping of messages for readers unknown once everybody must have been heard of.
func (n *Node) look() {
	if n.askLater.Swap(false) {
		n.askSoon()
	}
	if len(n.patterns) >= manyPatterns {
		n.subscribe()
	}
	if n.admissions.putOff {
		n.admissions.putOff = false
		n.reconcileAll()
	}
	n.admitDue()
	heads := n.store.Heads() // before it is known that membership is settled: what comes later keeps its mark
	n.mu.Lock()
	gone := n.view.Silent(n.now())
	settled := n.view.Settled(n.now())
	n.settled.Store(settled)
	n.mu.Unlock()
	n.in.Look()
	n.retryDenied()
	for _, p := range gone {
		n.limiter.info(n.log.With().Str("node", p.Node).Logger(), "offline", "a node is offline; its messages wait for it")
		if planted.LeaveByAbsence {
			for _, j := range p.Joins() {
				n.leave(p.Store, j.Name, j.Join)
			}
		}
		n.reconcile(p)
	}
	n.closeMarks(heads, settled && !n.admissions.putOff && len(n.admissions.due) == 0) // who waits for a place has a right to what is kept
}

// keeps tells whether what is sent on a channel is kept for readers that are not known yet.
func (n *Node) keeps(channel string, readers bool) bool {
	if readers && n.settled.Load() {
		return false
	}
	_, ahead := n.ahead.Load(channel)
	return !ahead
}

// closeMarks ends the keeping of messages for readers unknown: where there is a reader, once membership is settled; where none would be given
// them, at once.
func (n *Node) closeMarks(heads map[string]store.Head, settled bool) {
	marked := slices.ContainsFunc(slices.Collect(maps.Values(heads)), func(h store.Head) bool { return h.OpenFrom > 0 })
	if !marked {
		return
	}
	readers := map[string]bool{}
	for _, r := range n.out.Readers() {
		if !r.Ended {
			readers[r.Channel] = true
		}
	}
	var tx store.Tx
	for name, head := range heads {
		now, _ := n.store.Head(name)
		_, ahead := n.ahead.Load(name)
		if head.OpenFrom > 0 && now.OpenFrom == head.OpenFrom && (ahead || settled && readers[name] && n.settled.Load()) {
			tx.Closed = append(tx.Closed, name)
		}
	}
	if len(tx.Closed) > 0 {
		n.store.Submit(&tx)
	}
}

func (n *Node) prune() {
	n.pruneBefore(n.store.Now() - n.opt.Retention.Milliseconds())
}

// pruneAtOnce is how many batches one step of the clean-up takes.
const pruneAtOnce = 1024

// pruneBefore removes delivered messages that were accepted before an engine time.
func (n *Node) pruneBefore(before int64) {
	for before > 0 && n.ctx.Err() == nil {
		removed, err := n.store.Prune(pruneAtOnce, before)
		if err != nil {
			n.limiter.warn(n.log.With().Err(err).Logger(), "prune", "delivered messages could not be cleaned up")
		}
		if err != nil || removed < pruneAtOnce {
			return
		}
	}
}

// pruneJournals removes what was received too long ago. A channel that this process has not joined yet keeps its journal while its join lasts.
func (n *Node) pruneJournals() {
	channels, err := n.store.Journaled()
	for _, name := range channels {
		keep, known := n.journalOf(name)
		if before := n.store.Now() - keep.Milliseconds(); known && before > 0 && err == nil {
			err = n.store.ForgetJournal(name, before)
		}
	}
	if err != nil && n.ctx.Err() == nil {
		n.limiter.warn(n.log.With().Err(err).Logger(), "journal", "a journal could not be cleaned up")
	}
}

// journalOf is how long a channel's journal is kept, if that can be known now.
func (n *Node) journalOf(channel string) (keep time.Duration, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if j := n.joins[channel]; j != nil {
		return j.Journal, true
	}
	return 0, !slices.ContainsFunc(n.store.Joins(), func(j store.Join) bool { return j.Channel == channel && !j.Ended })
}

// clean is the goroutine that removes what is delivered and old. What the room is needed for, the store removes by itself.
func (n *Node) clean() {
	tick, sweep := time.NewTicker(n.opt.Cleanup), time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer sweep.Stop()
	swept := int64(0)
	for {
		select {
		case <-tick.C:
			n.prune()
			n.pruneJournals()
		case <-sweep.C:
			swept = n.expire(swept)
		case <-n.ctx.Done():
			return
		}
	}
}
