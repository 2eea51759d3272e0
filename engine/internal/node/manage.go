package node

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// The verbs of management frames, as they stand on the wire. Args of VerbKick are a node and then pairs of a channel and a join
// number; of VerbPurge one of the purge kinds.
const (
	VerbKick  = 1
	VerbPurge = 2
)

// Purge says what to remove.
type Purge uint8

const (
	PurgeQueue Purge = 1 << iota // what is pending: it ends as purged
	PurgeSent                    // what is delivered and only retained
	PurgeAll   = PurgeQueue | PurgeSent
)

// Purge removes messages on this node.
func (n *Node) Purge(p Purge) error {
	n.log.Warn().Bool("queue", p&PurgeQueue != 0).Bool("sent", p&PurgeSent != 0).Msg("purge")
	if p&PurgeQueue != 0 {
		if err := n.purgeQueue(); err != nil {
			return err
		}
	}
	if p&PurgeSent == 0 {
		return nil
	}
	if _, err := n.store.Prune(math.MaxInt32, math.MaxInt64); err != nil {
		return fmt.Errorf("purge what is delivered: %w", err)
	}
	return nil
}

// purgeQueue makes everything that waits a skip. It still counts as pending until its reader has confirmed the skip, for only the
// reader's word moves its position.
func (n *Node) purgeQueue() error {
	tx := store.Tx{Must: true}
	for _, r := range n.out.Readers() {
		if head, ok := n.store.Head(r.Channel); ok && !r.Ended && head.Last > r.Position {
			tx.Skips = append(tx.Skips, store.SkipRange{Store: r.Store, Channel: r.Channel, Join: r.Join, From: r.Position + 1, To: head.Last, Reason: uint8(wire.Purged)})
		}
	}
	for name, head := range n.store.Heads() {
		if head.OpenFrom > 0 {
			tx.Closed = append(tx.Closed, name)
		}
	}
	if err := n.store.Do(&tx); err != nil {
		return fmt.Errorf("purge the queue: %w", err)
	}
	return nil
}

// PurgeEverywhere does the same on this node and asks every node that is online.
func (n *Node) PurgeEverywhere(p Purge) error {
	n.order(&wire.Management{Verb: VerbPurge, Args: []string{strconv.Itoa(int(p))}})
	return n.Purge(p)
}

// order sends a management frame to every node that is online.
func (n *Node) order(m *wire.Management) {
	for _, p := range n.Members() {
		if p.Online && !p.Self {
			n.orderTo(p.Node, m)
		}
	}
}

func (n *Node) orderTo(node string, m *wire.Management) {
	m.ID = n.serial.Add(1)
	if err := n.conn.Publish(n.opt.Subjects.ManagementFrom(node, n.id), m.Append(nil)); err != nil {
		n.log.Warn().Err(err).Str("node", node).Msg("a node could not be told of a management order")
	}
}

// Kick ends a node's joins to channels (all that it has, if none are named), on this node's record, at every other node, and at the
// node itself. Only a later join by its operator brings it back.
func (n *Node) Kick(node string, channels []string) error {
	joins := n.joinsOf(node, channels)
	if len(joins) == 0 {
		return fmt.Errorf("kick %s: %w by it, as far as is known here", node, ErrNotJoined)
	}
	n.log.Warn().Str("node", node).Int("channels", len(joins)).Msg("kick")
	for some := range slices.Chunk(joins, (wire.MaxArgs-1)/2) {
		args := []string{node}
		for _, j := range some {
			args = append(args, j.Name, strconv.FormatUint(j.Join, 10))
		}
		n.order(&wire.Management{Verb: VerbKick, Args: args})
	}
	n.kicked(node, joins)
	return nil
}

func (n *Node) joinsOf(node string, channels []string) (list []wire.OpenChannel) {
	wanted := func(name string) bool { return len(channels) == 0 || slices.Contains(channels, name) }
	seen := map[wire.OpenChannel]bool{}
	add := func(name string, join uint64) {
		if j := (wire.OpenChannel{Name: name, Join: join}); wanted(name) && !seen[j] {
			seen[j] = true
			list = append(list, j)
		}
	}
	for _, m := range n.Members() {
		for _, j := range m.Joins {
			if m.Node == node {
				add(j.Name, j.Join)
			}
		}
	}
	for _, r := range n.out.Readers() { // also one that is away
		if r.Node == node && !r.Ended {
			add(r.Channel, r.Join)
		}
	}
	return list
}

// kicked obeys a kick: of another node on this one's record, of this node by leaving.
func (n *Node) kicked(node string, joins []wire.OpenChannel) {
	for _, j := range joins {
		if node == n.id {
			n.leaveKicked(j)
			continue
		}
		for _, r := range n.out.Readers() {
			if r.Node == node && r.Channel == j.Name && r.Join <= j.Join {
				n.leave(r.Store, r.Channel, r.Join)
			}
		}
	}
}

func (n *Node) leaveKicked(j wire.OpenChannel) {
	n.mu.Lock()
	own := n.joins[j.Name]
	current := own != nil && own.Number == j.Join
	n.mu.Unlock()
	if !current {
		return // an older join, and the operator has joined anew since
	}
	n.log.Warn().Str("channel", j.Name).Msg("this node was kicked from the channel; join it again to return")
	n.opt.Kicked(j.Name)
	if err := n.Leave(j.Name); err != nil {
		n.log.Error().Err(err).Str("channel", j.Name).Msg("the kick could not be put on record")
	}
}

// manage takes a management frame, on the membership goroutine.
func (n *Node) manage(from string, m *wire.Management) {
	switch {
	case m.Verb == VerbPurge && len(m.Args) == 1:
		p, err := strconv.ParseUint(m.Args[0], 10, 8)
		if err != nil || Purge(p)&^PurgeAll != 0 {
			return
		}
		n.log.Warn().Str("by", from).Msg("another node orders a purge")
		if err := n.Purge(Purge(p)); err != nil {
			n.log.Error().Err(err).Msg("the purge failed")
		}
	case m.Verb == VerbKick && len(m.Args) >= 3 && len(m.Args)%2 == 1:
		n.log.Warn().Str("by", from).Str("node", m.Args[0]).Msg("another node orders a kick")
		var joins []wire.OpenChannel
		for i := 1; i < len(m.Args); i += 2 {
			join, err := strconv.ParseUint(m.Args[i+1], 10, 64)
			if err != nil || !wire.LegalName(m.Args[i]) {
				return
			}
			joins = append(joins, wire.OpenChannel{Name: m.Args[i], Join: join})
		}
		n.kicked(m.Args[0], joins)
	default:
		n.limiter.warn(n.log.With().Str("from", from).Logger(), "management", "a management frame was not understood")
	}
}
