package inbox

import (
	"crypto/hmac"
	"fmt"
	"slices"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// open takes an Open: the lane's session begins, and the reporter answers with what is committed and taken.
func (b *Inbox) open(from string, data []byte) {
	o, err := wire.ParseOpen(data)
	if err != nil {
		b.reject(wire.FaultOf(err), from, "", err.Error())
		return
	}
	switch {
	case o.ReceiverStore != b.log.ID():
		b.reject(wire.Misdirected, from, "", "open: for another store")
	case o.ReceiverRun != b.log.Run():
		b.reject(wire.Stale, from, "", "open: for the process before this one")
	case o.Scope != "" && (len(o.Channels) != 1 || o.Channels[0].Name != o.Scope):
		b.reject(wire.Illegal, from, o.Scope, "open: of other channels than its scope")
	default:
		b.begin(from, o)
	}
}

// begin starts the session of an open that is for this node.
func (b *Inbox) begin(from string, o *wire.Open) {
	known, run, member := b.opt.Member(from)
	if member && known != o.SenderStore {
		b.reject(wire.Impostor, from, "", "open: from a store that is not this node's")
		return
	}
	owner, announced := b.opt.OwnerOf(o.SenderStore)
	if announced && owner != from {
		b.reject(wire.Impostor, from, "", "open: from the store of "+owner)
		return
	}
	if !member || run != o.Session.Run { // its announcement may be under way
		b.wait(from, o)
		return
	}
	if !b.takeOver(laneKey{o.SenderStore, o.Scope}, o.Channels) {
		return
	}
	l := b.lane(laneKey{o.SenderStore, o.Scope}, from, o.Channels)
	if l == nil {
		b.allLeft(from, o)
		return
	}
	if holder := l.sender(); holder != from && !announced { // a store moves to another node when that announces it, not before
		b.reject(wire.Impostor, from, "", "open: from the store of "+holder)
		return
	}
	b.mu.Lock()
	if b.lanes[l.key] != l || b.uncertain(o.SenderStore, o) {
		b.mu.Unlock()
		return // the sender asks again
	}
	readers := make(map[string]*channel, len(o.Channels))
	for _, c := range o.Channels {
		readers[c.Name] = b.channels[c.Name]
	}
	old, fresh, ok := l.begin(o, from, readers)
	if fresh {
		delete(b.sessions, old)
		b.sessions[sessionKey{from, o.Session}] = l
	}
	b.mu.Unlock()
	if !ok {
		b.reject(wire.Stale, from, "", "open: a newer session was opened before")
		return
	}
	l.report()
}

// allLeft answers an open that no lane is there for, if it is of joins that have ended; else the sender asks again.
func (b *Inbox) allLeft(from string, o *wire.Open) {
	st := wire.Status{ReceiverStore: b.log.ID(), ReceiverRun: b.log.Run(), SenderStore: o.SenderStore, Session: o.Session, State: wire.OK, Opened: true}
	for _, c := range o.Channels {
		if b.opt.Ended(c.Name, c.Join) {
			st.Channels = append(st.Channels, wire.StatusChannel{Name: c.Name, Join: c.Join, State: wire.Left})
		}
	}
	if len(st.Channels) > 0 {
		b.publish(from, &st)
	}
}

// lane finds or starts the lane of a sender; none is started for channels that no consumer takes.
func (b *Inbox) lane(k laneKey, node string, wanted []wire.OpenChannel) *receiver {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.lanes[k]; l != nil {
		return l
	}
	if b.closed || !slices.ContainsFunc(wanted, func(c wire.OpenChannel) bool { return b.channels[c.Name] != nil }) {
		return nil // the sender asks again
	}
	if !b.room() {
		b.reject(wire.Huge, node, "", "open: this node takes from as many senders as it can")
		return nil
	}
	l := newReceiver(b, k, node)
	b.lanes[k] = l
	b.done.Go(l.handover)
	b.done.Go(l.reporter)
	return l
}

// sender is the node whose session the lane serves.
func (l *receiver) sender() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.node
}

// begin starts a session unless it is an old one (ok is false then); it returns the session it replaces.
func (l *receiver) begin(o *wire.Open, from string, readers map[string]*channel) (old sessionKey, fresh, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.Session.Run == l.session.Run && o.Session.Counter < l.session.Counter {
		return old, false, false
	}
	l.touched = l.box.now()
	old, l.node = sessionKey{l.node, l.session}, from
	if o.Session != l.session {
		fresh = true
		l.session = o.Session
		l.machine.Open()
		l.gap, l.starved = false, 0
		clear(l.refused)
	}
	l.answer = l.answer[:0]
	for _, c := range o.Channels {
		l.answer = append(l.answer, l.admit(c, readers[c.Name]))
	}
	for _, r := range l.refused {
		r.said = false
	}
	l.opened = true
	return old, fresh, true
}

// admit judges one channel of an open; l.mu is held.
func (l *receiver) admit(c wire.OpenChannel, ch *channel) wire.StatusChannel {
	s := wire.StatusChannel{Name: c.Name, Join: c.Join, State: wire.OK}
	switch {
	case ch == nil && l.key.sender != l.box.log.ID() && l.box.opt.Ended(c.Name, c.Join):
		s.State = wire.Left
		return s
	case ch == nil:
		s.State = wire.Blocked // no consumer for now
		return s
	case c.Join < ch.joinTo(l.key.sender, l.box.log.ID()) && ch.renewed:
		s.State = wire.Blocked // it will hear of the join that follows, and until then the old one has to keep its messages from being pruned
		return s
	case c.Join < ch.joinTo(l.key.sender, l.box.log.ID()):
		s.State = wire.Left
		return s
	case l.forgotten(c, ch):
		s.State = wire.Blocked // until the join is on record
		l.box.opt.Rejoin(c.Name, c.Join)
		return s
	case c.Join != ch.joinTo(l.key.sender, l.box.log.ID()):
		s.State = wire.Refused
		l.ban(c.Name, &refusal{reason: fmt.Sprintf("join %d is not one of this node's", c.Join)})
		return s
	case !l.box.opt.Writer(l.node, c.Name):
		s.State = wire.Refused
		l.box.reject(wire.WrongRole, l.node, c.Name, "open: of a channel that the node has not announced as one that it writes")
		l.ban(c.Name, &refusal{reason: l.node + " has not announced that it writes the channel", over: l.writerAgain(c.Name)})
		return s
	case l.box.opt.Deaf(c.Name) != "" && l.key.sender != l.box.log.ID():
		s.State = wire.Refused
		l.ban(c.Name, l.cannotHear(c.Name))
		return s
	}
	delete(l.refused, c.Name)
	if !l.machine.Known(c.Name, c.Join) {
		l.load(c.Name, c.Join)
	}
	p := l.progress[c.Name]
	s.Proof = l.box.opt.Prove(l.key.sender, c.Name, c.Join)
	s.Committed = p.reported()
	s.Totals = p.committedTotals
	if place, ok := l.machine.Place(c.Name); ok {
		s.Received = wire.Position{Run: place.Received.Run, Seq: place.Received.Seq}
		s.Piece = place.Piece
	}
	return s
}

// forgotten tells whether a join was this node's, later than the one that it knows of: its database is a copy of before. What a sender says of it counts
// only with the proof that this node gave it.
func (l *receiver) forgotten(c wire.OpenChannel, ch *channel) bool {
	if c.Join <= ch.join || l.key.sender == l.box.log.ID() {
		return false
	}
	proof := l.box.opt.Prove(l.key.sender, c.Name, c.Join)
	return hmac.Equal(proof[:], c.Proof[:])
}

// load takes a join's durable place; l.mu is held.
func (l *receiver) load(name string, join uint64) {
	p := &progress{join: join}
	for _, d := range l.box.log.Positions(l.key.sender) {
		if d.Channel == name && d.Join == join {
			p.position = wire.Position{Run: d.Run, Seq: d.Seq}
			p.totals = wire.Totals(d.Totals)
			for _, o := range d.Older {
				p.older = append(p.older, wire.Position{Run: o.Run, Seq: o.Seq})
			}
		}
	}
	p.committed, p.committedTotals = p.position, p.totals
	l.progress[name] = p
	l.scrap(name)
	var places []lane.Position
	for _, r := range p.reported() {
		places = append(places, lane.Position(r))
	}
	l.machine.Load(name, join, places)
}
