package engine

import (
	"cmp"
	"encoding/hex"
	"slices"
)

// Account is the accounting of one reader of one channel this node writes: at all times
// Accepted = Handled + Dead + Expired + Purged + Overflow + Removed + Corrupt + Pruned + Pending.
type Account struct {
	Channel, Reader                                                    string
	Join                                                               uint64
	Accepted                                                           uint64 // addressed to this reader, since it joined
	Handled, Dead, Expired, Purged, Overflow, Removed, Corrupt, Pruned uint64 // how they ended, as the reader reported
	Pending                                                            uint64
	Ended                                                              bool // the join is over, for now if it is Replaced
	Replaced                                                           bool // the node came with another database, which goes on at this one's place
}

// Balanced tells whether the identity holds.
func (a *Account) Balanced() bool {
	return a.Accepted == a.Handled+a.Dead+a.Expired+a.Purged+a.Overflow+a.Removed+a.Corrupt+a.Pruned+a.Pending
}

// Accounts lists every reader on record, by channel and node; ended joins too.
func (c *Connection) Accounts() []Account {
	var list []Account
	for _, r := range c.node.Outbox().Readers() {
		head, _ := c.node.Store().Head(r.Channel)
		list = append(list, Account{Channel: r.Channel, Reader: r.Node, Join: r.Join, Accepted: r.Accepted(head), Handled: r.Totals.Handled, Dead: r.Totals.Dead,
			Expired: r.Totals.Expired, Purged: r.Totals.Purged, Overflow: r.Totals.Overflow, Removed: r.Removed, Corrupt: r.Totals.Corrupt, Pruned: r.Totals.Pruned,
			Pending: r.Pending(head), Ended: r.Ended, Replaced: r.Replaced})
	}
	slices.SortFunc(list, func(a, b Account) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Reader, b.Reader), cmp.Compare(a.Join, b.Join))
	})
	return list
}

// InboundAccount is what this node received on one channel from one sender, durably.
type InboundAccount struct {
	Channel, Sender                                           string // the sender's node id: the last that it had, if it was not heard of since the start
	Store                                                     string // the sender's store id: a node whose database is new is another sender
	Join                                                      uint64
	Position                                                  uint64 // everything up to this sequence of the sender's log is at its end
	Handled, Dead, Expired, Purged, Overflow, Corrupt, Pruned uint64
}

// Inbound lists what this node received, by channel and sender.
func (c *Connection) Inbound() []InboundAccount {
	var list []InboundAccount
	for _, p := range c.node.Store().AllPositions() {
		list = append(list, InboundAccount{Channel: p.Channel, Sender: c.node.NameOf(p.Sender, p.Node), Store: hex.EncodeToString(p.Sender[:]), Join: p.Join, Position: p.Seq, Handled: p.Totals.Handled, Dead: p.Totals.Dead,
			Expired: p.Totals.Expired, Purged: p.Totals.Purged, Overflow: p.Totals.Overflow, Corrupt: p.Totals.Corrupt, Pruned: p.Totals.Pruned})
	}
	slices.SortFunc(list, func(a, b InboundAccount) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Sender, b.Sender))
	})
	return list
}
