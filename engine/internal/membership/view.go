package membership

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Now is a point of monotonic time, as the distance from some fixed start.
type Now = time.Duration

// Limits are the times after which silence means something.
type Limits struct {
	Settle    time.Duration // a connection unbroken for this long has heard of everybody
	Offline   time.Duration // silence of a node that shares a channel with this one
	Broadcast time.Duration // between announcements to all; a node heard only there is offline after three
	Forget    time.Duration // silence after which a node drops out of listings
}

// Peer is one other node as last heard.
type Peer struct {
	wire.Announcement
	HeardAt Now
	Online  bool
	Whole   bool                    // all its channels are known: an announcement to everybody was heard from this run
	moved   bool                    // its store goes on under another node id: the node is gone, unless it says otherwise
	joins   []wire.AnnouncedChannel // by name
}

// View is what this node knows of the network.
type View struct {
	self      string
	limits    Limits
	peers     map[string]*Peer
	holders   map[wire.ID]*Peer // whose a store is, online or not
	shared    func(channel string) bool
	friend    func(node string) bool
	joins     int                // of all peers
	refused   uint64             // announcements that found no room
	names     map[wire.ID]string // the nodes that stores belonged to before this view began
	connected bool
	since     Now
}

// NewView returns an empty view. Shared tells whether this node has joined a channel, and friend whether it has a node on record: for those
// there is room when there is none for others. Names are the nodes that stores belonged to when they were last heard of.
func NewView(self string, l Limits, shared, friend func(string) bool, names map[wire.ID]string) *View {
	return &View{self: self, limits: l, peers: map[string]*Peer{}, holders: map[wire.ID]*Peer{}, shared: shared, friend: friend, names: names}
}

// Connected and Disconnected follow the connection to the network.
func (v *View) Connected(now Now) { v.connected, v.since = true, now }

// Disconnected makes every peer's state stale: what they do meanwhile is not heard.
func (v *View) Disconnected() { v.connected = false }

// Settled tells whether the connection has been unbroken for long enough to have heard of every reader.
func (v *View) Settled(now Now) bool { return v.connected && now-v.since >= v.limits.Settle }

// Change is what an announcement or silence changed.
type Change uint8

const (
	Nothing   Change = iota
	Appeared         // new, or online again
	Restarted        // another run of the same node
	Altered          // other channels, roles, joins, or consumers
	Gone             // offline, or said goodbye
)

// Hear takes an announcement. A partial one (a keepalive of one channel) adds to what is known instead of replacing it.
func (v *View) Hear(now Now, a *wire.Announcement, partial bool) (*Peer, Change) {
	p := v.peers[a.Node]
	if a.Node == v.self {
		return nil, Nothing
	}
	if !v.room(p, a, partial) {
		v.refused++
		if p == nil {
			return nil, Nothing
		}
		bare := *a // of what it has joined nothing more is taken
		bare.Channels, a, partial = nil, &bare, true
	}
	if p != nil && !p.Online && p.Store == a.Store && p.Run == a.Run && a.Serial < p.Serial {
		return nil, Nothing // said before its goodbye, and overtaken by it
	}
	if !v.claim(now, a) {
		return nil, Nothing
	}
	if p == nil {
		p = &Peer{}
		v.peers[a.Node] = p
	}
	if v.holders[p.Store] == p {
		delete(v.holders, p.Store)
	}
	p.moved, v.holders[a.Store] = false, p
	wasOnline, wasRun, wasWhole := p.Online, p.Run, p.Whole
	altered := v.merge(p, a, partial)
	p.HeardAt, p.Online = now, !a.Goodbye
	switch {
	case a.Goodbye && wasOnline:
		return p, Gone
	case a.Goodbye:
		return p, Nothing
	case !wasOnline:
		return p, Appeared
	case wasRun != a.Run:
		return p, Restarted
	case altered || p.Whole != wasWhole:
		return p, Altered
	}
	return p, Nothing
}

// claim tells whether a node may have the store that it announces. A store belongs to one node at a time, and goes over to another id, which is how a
// node that was renamed looks, once nothing can be heard of the one before. One that has lost its store so gets it back when it returns: the other was
// no new name of it.
func (v *View) claim(now Now, a *wire.Announcement) bool {
	holder, p := v.holders[a.Store], v.peers[a.Node]
	switch {
	case holder == nil:
		before, known := v.names[a.Store]
		return !known || before == a.Node || v.Settled(now) // else the one before has had no time to be heard
	case holder == p:
	case p != nil && p.moved && p.Store == a.Store:
		v.drop(holder)
	case holder.Online || a.Goodbye:
		return false
	default:
		holder.moved = true
	}
	return true
}

// Holder names the node that a store belongs to, as far as is known.
func (v *View) Holder(id wire.ID) (node string, ok bool) {
	if p := v.holders[id]; p != nil {
		return p.Node, true
	}
	node, ok = v.names[id]
	return node, ok
}

// Owner is the node that is online with a store.
func (v *View) Owner(id wire.ID) (node string, ok bool) {
	if p := v.holders[id]; p != nil && p.Online {
		return p.Node, true
	}
	return "", false
}

func (v *View) merge(p *Peer, a *wire.Announcement, partial bool) (altered bool) {
	same := p.Store == a.Store && p.Run == a.Run
	if same && a.Serial < p.Serial {
		return false // overtaken by a newer one
	}
	before := p.joins
	if !same {
		p.joins, p.Whole = nil, false
	}
	now := sorted(a.Channels)
	if partial {
		now = united(p.joins, now)
	} else {
		p.Whole = true
	}
	altered = !slices.Equal(p.joins, now)
	p.joins = now
	v.joins += len(now) - len(before)
	p.Announcement = *a
	p.Channels = nil // they are in joins
	p.Left = slices.Clone(p.Left[:min(len(p.Left), maxLeft)])
	p.Version = strings.Clone(p.Version[:min(len(p.Version), maxVersion)])
	return altered || len(a.Left) > 0
}

// Alive notes a sign of life other than an announcement.
func (v *View) Alive(now Now, node string) {
	if p := v.peers[node]; p != nil && p.Online {
		p.HeardAt = now
	}
}

// Silent returns the peers that went offline by now, and forgets those unheard for long. While disconnected nobody is judged.
func (v *View) Silent(now Now) (gone []*Peer) {
	if !v.connected {
		return nil
	}
	forget := v.limits.Forget
	if v.crowded() {
		forget = 0
	}
	for _, p := range v.peers {
		quiet := now - max(p.HeardAt, v.since)
		if p.Online && quiet >= v.patience(p) {
			p.Online = false
			gone = append(gone, p)
		}
		if !p.Online && now-p.HeardAt >= forget {
			v.drop(p)
		}
	}
	return gone
}

func (v *View) patience(p *Peer) time.Duration {
	for i := range p.joins {
		if v.shared(p.joins[i].Name) {
			return v.limits.Offline
		}
	}
	return 3 * v.limits.Broadcast
}

// Peer returns a node by name, nil if unknown.
func (v *View) Peer(node string) *Peer {
	if p := v.peers[node]; p != nil && !p.moved {
		return p
	}
	return nil
}

// Peers lists every known node by name. No two have the same store.
func (v *View) Peers() []*Peer {
	list := make([]*Peer, 0, len(v.peers))
	for _, p := range v.peers {
		if !p.moved {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *Peer) int { return cmp.Compare(a.Node, b.Node) })
	return list
}
