package engine

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Management looks at and manages the network.
type Management struct{ c *Connection }

// NodeInfo is one node of the network.
type NodeInfo struct {
	ID       string
	Store    string // its database
	Version  string
	Online   bool
	Self     bool          // this node
	LastSeen time.Duration // since it was heard
	Uptime   time.Duration
	Channels []ChannelRole
}

// ChannelRole is what a node does on a channel.
type ChannelRole struct {
	Channel string
	Mode    Mode
	Ready   bool // a consumer is attached
}

// Nodes lists every known node: this one first, then by id.
func (m *Management) Nodes() []NodeInfo {
	var list []NodeInfo
	for _, p := range m.c.node.Members() {
		info := NodeInfo{ID: p.Node, Store: hex.EncodeToString(p.Store[:]), Version: p.Version, Online: p.Online, Self: p.Self, LastSeen: p.Silence, Uptime: p.Uptime}
		for _, j := range p.Joins {
			info.Channels = append(info.Channels, ChannelRole{Channel: j.Name, Mode: modeOf(j.Role), Ready: j.Ready})
		}
		list = append(list, info)
	}
	return list
}

// Topology maps every known node to what it does.
func (m *Management) Topology() map[string][]ChannelRole {
	t := map[string][]ChannelRole{}
	for _, n := range m.Nodes() {
		t[n.ID] = n.Channels
	}
	return t
}

// Channels lists the channels that any known node has joined.
func (m *Management) Channels() []string {
	var names []string
	for _, n := range m.c.node.Members() {
		for _, j := range n.Joins {
			names = append(names, j.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// GetSubscribers lists the known nodes that have joined a channel, in whatever role.
func (m *Management) GetSubscribers(channel string) []NodeInfo {
	return slices.DeleteFunc(m.Nodes(), func(n NodeInfo) bool {
		return !slices.ContainsFunc(n.Channels, func(c ChannelRole) bool { return c.Channel == channel })
	})
}

// Statistic sums what this node did, by name; every name is always there.
//
// Since the database was made, whatever was restarted meanwhile:
//
//	queued          messages accepted from this node's senders, and emits; each once, however many readers it has
//	delivered       handled by their readers, as these reported; once for each reader
//	acknowledged    the same
//	pending         waiting, once for each reader: the one number that goes down again
//	processed       messages of others, or its own, that this node has handled
//	dead_lettered   given up on: by readers of what this node sent, once for each, and by this node
//	expired         ended by their time to live: at readers of what this node sent, once for each, and here
//	dropped         ended without being handled or dead-lettered: expired, purged, overflow, removed, corrupt, pruned; there and here
//
// What a node reads of its own messages counts once. "queued" counts what was removed since, too.
//
// Since this process started:
//
//	sent_acks, received_acks               status frames, of which each acknowledges everything up to a position
//	sent_keepalives, received_keepalives   announcements of any kind: keepalives, discovery, answers, goodbyes
//	sent_frames, received_frames           data frames, repeated ones too
//	stale_frames, repeated_frames          of sessions that are gone, and taken before: both come of reconnects
//	rejected_frames                        what nodes in order never send, the sum of:
//	rejected_bad_subject                   on a subject that is none of this network's
//	rejected_truncated, rejected_damaged   too short, with a wrong checksum
//	rejected_newer, rejected_illegal       of an unknown version, or as no node in order makes it
//	rejected_huge                          larger, or more, than this node takes
//	rejected_misdirected                   for another node
//	rejected_stranger                      of a node that has not announced itself
//	rejected_impostor                      with another's name, store or channel
//	rejected_wrong_role                    of a node that is no writer of the channel
//	overruns                               times that frames came faster than they were taken
//	unheard                                announcements and orders that were dropped because too many came at once; they are made again
//	refused_announcements                  those for which there was no room, of too many nodes or of too many channels
//	refused_readers                        times that a new reader was given no place on record, because there are too many or too many came at once
//	denied                                 times that NATS refused a subject
//	suspended                              channels that a reader gets nothing of now, once for each; Status says why
//	storage_trouble                        1 while the database cannot take what it is given, else 0; Status says why
//	stalls                                 sessions begun anew because a reader made no progress
//	reconnects                             connections to NATS after the first
//	uptime                                 seconds
func (m *Management) Statistic() map[string]int64 {
	s := map[string]int64{"queued": 0, "delivered": 0, "acknowledged": 0, "pending": 0, "expired": 0, "dead_lettered": 0, "dropped": 0, "processed": 0, "storage_trouble": 0}
	add := func(name string, n uint64) { s[name] += int64(n) }
	for _, head := range m.c.node.Store().Heads() {
		add("queued", head.Total)
	}
	for _, a := range m.c.Accounts() {
		add("delivered", a.Handled)
		add("acknowledged", a.Handled)
		add("pending", a.Pending)
		add("expired", a.Expired)
		add("dead_lettered", a.Dead)
		add("dropped", a.Expired+a.Purged+a.Overflow+a.Removed+a.Corrupt+a.Pruned)
	}
	for _, a := range m.c.Inbound() {
		add("processed", a.Handled)
		if a.Sender == m.c.NodeID() {
			continue // among the accounts
		}
		add("dead_lettered", a.Dead)
		add("expired", a.Expired)
		add("dropped", a.Expired+a.Purged+a.Overflow+a.Corrupt+a.Pruned)
	}
	out, in, own := m.c.node.Outbox().Counts(), m.c.node.Inbox().Counts(), m.c.node.Counts()
	add("received_acks", out.Acks)
	add("sent_frames", out.Frames)
	add("stalls", out.Stalls)
	add("suspended", uint64(len(m.c.node.Outbox().Suspensions())))
	if m.c.StorageTrouble().Kind != StorageOK {
		add("storage_trouble", 1)
	}
	add("sent_acks", in.Statuses)
	add("received_frames", in.Frames)
	for f, n := range own.Faults {
		if fault := wire.Fault(f); fault.Hostile() {
			add("rejected_frames", n)
			add("rejected_"+fault.String(), n)
		} else {
			add(fault.String()+"_frames", n)
		}
	}
	add("overruns", own.Overruns)
	add("unheard", own.Unheard)
	add("refused_announcements", own.RefusedAnnouncements)
	add("refused_readers", own.RefusedReaders)
	add("denied", own.Denied)
	add("sent_keepalives", own.KeepalivesSent)
	add("received_keepalives", own.KeepalivesReceived)
	add("reconnects", own.Connects-min(own.Connects, 1))
	s["uptime"] = int64(m.c.node.Uptime().Seconds())
	return s
}
