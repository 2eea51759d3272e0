package node

import (
	"encoding/hex"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Member is one node of the network as this one knows it.
type Member struct {
	Node    string
	Store   store.ID
	Version string
	Online  bool
	Self    bool
	Silence time.Duration // since it was last heard
	Uptime  time.Duration
	Joins   []wire.AnnouncedChannel
}

// Members lists the nodes of the network, this one first, then by name.
func (n *Node) Members() []Member {
	list := []Member{{Node: n.id, Store: n.store.ID(), Version: n.opt.Version, Online: true, Self: true, Uptime: n.now(), Joins: n.self(n.Joins()).Channels}}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.view.Peers() {
		list = append(list, Member{Node: p.Node, Store: p.Store, Version: p.Version, Online: p.Online, Silence: n.now() - p.HeardAt,
			Uptime: time.Duration(p.Uptime) * time.Second, Joins: p.Joins()})
	}
	return list
}

// NameOf is the node id of a store. One that was not heard of since the start has the name that it was last known by, or its own id.
func (n *Node) NameOf(id store.ID, last string) string {
	if id == n.store.ID() {
		return n.id
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if node, ok := n.view.Holder(id); ok {
		return node
	}
	if last != "" {
		return last
	}
	return hex.EncodeToString(id[:])
}

// Counts are the node's counters since it was opened.
type Counts struct {
	KeepalivesSent, KeepalivesReceived, Connects, Overruns, Denied, Unheard uint64
	RefusedAnnouncements, RefusedReaders                                    uint64 // for want of room, or of a turn
	Faults                                                                  [wire.Faults]uint64
}

// Counts returns the counters.
func (n *Node) Counts() Counts {
	c := &n.count
	counts := Counts{KeepalivesSent: c.keepalivesSent.Load(), KeepalivesReceived: c.keepalivesReceived.Load(), Connects: c.reconnects.Load(), Overruns: c.overruns.Load(), Denied: c.denied.Load(), Unheard: c.unheard.Load(), RefusedReaders: c.turnedAway.Load()}
	n.mu.Lock()
	counts.RefusedAnnouncements = n.view.Refused()
	n.mu.Unlock()
	for f := range counts.Faults {
		counts.Faults[f] = c.faults[f].Load()
	}
	return counts
}

// States names what the node and its lanes are doing, for tests that look for states which a fault has met.
func (n *Node) States() []string {
	names := append(n.out.States(), n.in.States()...)
	if !n.Settled() {
		names = append(names, "membership unsettled")
	}
	if !n.Connected() {
		names = append(names, "disconnected")
	}
	return names
}
