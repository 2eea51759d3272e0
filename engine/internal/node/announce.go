package node

import (
	"cmp"
	"slices"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// self builds this node's announcement over the joins given.
func (n *Node) self(joins []Join) *wire.Announcement {
	a := &wire.Announcement{Node: n.id, Store: n.store.ID(), Run: n.store.Run(), Version: n.opt.Version, Batches: n.opt.Batches,
		Serial: n.serial.Add(1), Uptime: int64(n.now().Seconds())}
	a.Fenced = n.quiet()
	n.mu.Lock()
	a.Claim = n.claim.level
	if r := n.claim.rival; r != nil {
		a.Rival = r.run
	}
	n.mu.Unlock()
	for _, j := range joins {
		a.Channels = append(a.Channels, wire.AnnouncedChannel{Name: j.Channel, Join: j.Number, Role: j.Role, Replay: j.Replay, Ready: j.ready && j.Role&wire.Reader != 0})
	}
	return a
}

// announce tells the whole network. A lost announcement is made again at the next interval.
func (n *Node) announce(ask bool) {
	a := n.self(n.Joins())
	a.Ask = ask
	a.Left = n.leaves()
	n.tell(n.opt.Subjects.DiscoveryFrom(n.id), a)
}

// maxLeft bounds the ended joins that an announcement names.
const maxLeft = 256

// leaves names the newest join of each channel that has ended; those before it ended too. Where one announcement cannot name all, each names others. It is for
// the membership goroutine.
func (n *Node) leaves() []wire.OpenChannel {
	newest := map[string]uint64{}
	for _, j := range n.store.Joins() {
		if j.Ended {
			newest[j.Channel] = max(newest[j.Channel], j.Number)
		}
	}
	list := make([]wire.OpenChannel, 0, len(newest))
	for name, number := range newest {
		list = append(list, wire.OpenChannel{Name: name, Join: number})
	}
	slices.SortFunc(list, func(a, b wire.OpenChannel) int { return cmp.Compare(a.Name, b.Name) })
	if len(list) <= maxLeft {
		return list
	}
	from := n.leavesFrom % len(list)
	n.leavesFrom = from + maxLeft
	return append(list[from:], list[:from]...)[:maxLeft]
}

// ended tells whether a join is one of this node's that is over.
func (n *Node) ended(channel string, join uint64) bool {
	return slices.ContainsFunc(n.store.Joins(), func(j store.Join) bool {
		return j.Channel == channel && (j.Number > join || j.Number == join && j.Ended)
	})
}

func (n *Node) tell(subject string, a *wire.Announcement) {
	if n.transmit(subject, a.Append(nil)) == nil {
		n.count.keepalivesSent.Add(1)
	}
}

// keepalive tells each channel's members that this node lives.
func (n *Node) keepalive() {
	if n.fenced.Load() {
		n.announce(false) // to the other instance
		return
	}
	for _, j := range n.Joins() {
		n.tell(n.opt.Subjects.KeepaliveFrom(j.Channel, n.id), n.self([]Join{j}))
	}
}

func (n *Node) goodbye() {
	a := n.self(n.Joins())
	a.Goodbye = true
	n.tell(n.opt.Subjects.DiscoveryFrom(n.id), a)
}
