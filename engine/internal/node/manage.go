package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// The verbs of management frames, as they stand on the wire. The argument of VerbKick is a node, with the joins to end as channels; of VerbPurge one of the
// purge kinds, in decimal.
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

func (p Purge) String() string {
	switch p {
	case PurgeQueue:
		return "purge what is pending"
	case PurgeSent:
		return "purge what is delivered"
	}
	return "purge what is pending and what is delivered"
}

// Failure says why a node has not obeyed an order.
type Failure struct {
	Node string
	Err  error // wraps ErrNoAnswer or ErrRefused if it is another node's
}

// Patience is how long other nodes have to answer an order.
const Patience = 10 * time.Second

// Purge removes messages on this node, and on every node that is online unless it is for this one alone. It lists the nodes that
// have not obeyed.
func (n *Node) Purge(p Purge, alone bool) []Failure {
	m := &wire.Management{Verb: VerbPurge, Args: []string{strconv.Itoa(int(p))}}
	if alone {
		return n.command(m, nil)
	}
	return n.command(m, n.online())
}

// Kick ends a node's joins to channels (all that it has, if none are named), on this node's record, at every other node that is online, and at the
// node itself. Only a later join by its operator brings it back. It lists the nodes that have not obeyed.
func (n *Node) Kick(node string, channels []string) ([]Failure, error) {
	joins := n.joinsOf(node, channels)
	if len(joins) == 0 {
		return nil, fmt.Errorf("kick %s: %w by it, as far as is known here", node, ErrNotJoined)
	}
	return n.command(&wire.Management{Verb: VerbKick, Args: []string{node}, Channels: joins[:min(len(joins), wire.MaxChannels)]}, n.online()), nil
}

func (n *Node) online() (nodes []string) {
	for _, p := range n.Members() {
		if p.Online && !p.Self {
			nodes = append(nodes, p.Node)
		}
	}
	return nodes
}

// command obeys an order here while others are asked to, and puts on record what came of it.
func (n *Node) command(m *wire.Management, nodes []string) []Failure {
	n.name(m)
	e := n.entry(m, n.id)
	n.log.Warn().Str("order", e.Action).Int("others", len(nodes)).Msg("an order is given")
	e.Outcome, e.Over = "obeyed here", len(nodes) == 0
	if !e.Over {
		e.Outcome += fmt.Sprintf("; %d others are asked", len(nodes))
	}
	ctx, cancel := context.WithTimeout(n.ctx, Patience)
	defer cancel()
	answers := make(chan []Failure, 1)
	go func() { answers <- n.demand(ctx, nodes, m) }() // waited for below
	own := n.obey(m, e)
	failures := <-answers
	if own != nil {
		failures = append([]Failure{{Node: n.id, Err: own}}, failures...)
	}
	if own == nil && e.Over {
		return nil
	}
	e.Outcome, e.Failed, e.Over = summary(len(nodes)+1, failures), len(failures) > 0, true
	if err := n.commit(&store.Tx{Audit: []store.AuditEntry{e}}); err != nil && own == nil {
		failures = append(failures, Failure{Node: n.id, Err: fmt.Errorf("put the outcome on record: %w", err)})
	}
	return failures
}

// summary is an order's outcome, for people.
func summary(nodes int, failures []Failure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "obeyed by %d of %d nodes", nodes-len(failures), nodes)
	for _, f := range failures {
		fmt.Fprintf(&b, "; %s: %v", f.Node, f.Err)
	}
	return clip(b.String())
}

// maxAuditText bounds a text of the audit record, in bytes.
const maxAuditText = 2048

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxAuditText {
		return s
	}
	return strings.ToValidUTF8(s[:maxAuditText], "") + "…"
}

// entry begins the audit entry of an order.
func (n *Node) entry(m *wire.Management, from string) store.AuditEntry {
	e := store.AuditEntry{Order: store.Order{Store: m.Store, Run: m.Run, Number: m.ID}, Node: from, Wall: time.Now().UnixMilli()}
	if m.Verb == VerbPurge {
		kind, _ := strconv.ParseUint(m.Args[0], 10, 8)
		e.Action = Purge(kind).String()
		return e
	}
	names := make([]string, 0, len(m.Channels))
	for _, c := range m.Channels {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	e.Action = clip(fmt.Sprintf("kick %s from %s", m.Args[0], strings.Join(names, ", ")))
	return e
}

// Audit lists the audit record, newest first.
func (n *Node) Audit() ([]store.AuditEntry, error) { return n.store.Audit() }

var errStopped = fmt.Errorf("%w before it was known whether the order was obeyed", ErrClosed)

// commit is a transaction of an order: it waits for room on a full disk, but not longer than the node runs.
func (n *Node) commit(tx *store.Tx) error {
	outcome := make(chan error, 1)
	tx.Must, tx.Done = true, func(err error) { outcome <- err }
	n.store.Submit(tx)
	return n.await(outcome)
}

func (n *Node) await(outcome <-chan error) error {
	select {
	case err := <-outcome:
		return err
	case <-n.ctx.Done():
		return errStopped
	}
}

// obey carries out an order. What it does commits with the audit entry, where one transaction can hold it.
func (n *Node) obey(m *wire.Management, e store.AuditEntry) error {
	if m.Verb == VerbKick {
		if m.Args[0] == n.id {
			return n.leaveKicked(m.Channels, e)
		}
		return n.endKicked(m.Args[0], m.Channels, e)
	}
	kind, _ := strconv.ParseUint(m.Args[0], 10, 8) // Legal has looked at it
	return n.purge(Purge(kind), e)
}

var errOrder = errors.New("not an order that this node understands")

// legal tells whether an order is one that obey can carry out.
func legal(m *wire.Management) bool {
	switch m.Verb {
	case VerbPurge:
		if len(m.Args) != 1 || len(m.Channels) != 0 {
			return false
		}
		kind, err := strconv.ParseUint(m.Args[0], 10, 8)
		return err == nil && kind != 0 && Purge(kind)&^PurgeAll == 0
	case VerbKick:
		return len(m.Args) == 1 && wire.LegalName(m.Args[0]) && len(m.Channels) > 0
	}
	return false
}

func (n *Node) purge(p Purge, e store.AuditEntry) error {
	if p&PurgeQueue != 0 {
		first := e
		if p&PurgeSent != 0 {
			first.Outcome, first.Over = "what was pending is purged here", false
		}
		if err := n.purgeQueue(first); err != nil {
			return fmt.Errorf("purge what is pending: %w", err)
		}
	}
	if p&PurgeSent == 0 {
		return nil
	}
	for {
		if n.ctx.Err() != nil {
			return errStopped
		}
		removed, err := n.store.Prune(pruneAtOnce, math.MaxInt64)
		if err != nil {
			return fmt.Errorf("purge what is delivered: %w", err)
		}
		if removed < pruneAtOnce {
			return n.commit(&store.Tx{Audit: []store.AuditEntry{e}})
		}
	}
}

// purgeQueue makes everything that waits a skip. It still counts as pending until its reader has confirmed the skip, for only the
// reader's word moves its position.
func (n *Node) purgeQueue(e store.AuditEntry) error {
	tx := store.Tx{Audit: []store.AuditEntry{e}}
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
	if err := n.commit(&tx); err != nil {
		return err
	}
	n.out.Skipped()
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
		if r.Node == node && (!r.Ended || r.Replaced) {
			add(r.Channel, r.Join)
		}
	}
	return list
}

// endKicked ends another node's joins on this one's record.
func (n *Node) endKicked(node string, joins []wire.OpenChannel, e store.AuditEntry) error {
	var ends []store.EndReader
	for _, r := range n.out.Readers() {
		if r.Node == node && (!r.Ended || r.Replaced) && slices.ContainsFunc(joins, func(j wire.OpenChannel) bool { return r.Channel == j.Name && r.Join <= j.Join }) {
			ends = append(ends, store.EndReader{Store: r.Store, Channel: r.Channel, Join: r.Join})
		}
	}
	outcome := make(chan error, 1)
	n.out.EndReaders(ends, []store.AuditEntry{e}, func(err error) { outcome <- err })
	if err := n.await(outcome); err != nil {
		return fmt.Errorf("end the joins of %s: %w", node, err)
	}
	return nil
}

// maxForgotten bounds how many later joins a kick may know of: whoever gives it must not use up the numbers.
const maxForgotten = 1 << 20

// leaveKicked ends this node's own joins, those that are still the ones meant: where the operator has joined anew since, the new join stays.
func (n *Node) leaveKicked(joins []wire.OpenChannel, e store.AuditEntry) error {
	tx := store.Tx{Audit: []store.AuditEntry{e}}
	var ends []store.EndReader
	for _, own := range n.store.Joins() {
		if own.Ended || !slices.Contains(joins, wire.OpenChannel{Name: own.Channel, Join: own.Number}) {
			continue
		}
		n.log.Warn().Str("channel", own.Channel).Str("by", e.Node).Msg("this node was kicked from the channel; join it again to return")
		n.opt.Kicked(own.Channel)
		n.mu.Lock()
		delete(n.joins, own.Channel)
		n.mu.Unlock()
		n.ahead.Delete(own.Channel)
		n.in.Detach(own.Channel)
		own.Ended = true
		tx.Joins = append(tx.Joins, own)
		for _, j := range joins { // joins of before this database was restored: the next one has to be above them
			if j.Name == own.Channel && j.Join > own.Number && j.Join-own.Number <= maxForgotten {
				tx.Joins = append(tx.Joins, store.Join{Channel: j.Name, Number: j.Join, Role: own.Role, Ended: true})
			}
		}
		for _, r := range n.ownRows(own.Channel) {
			if r.Ended {
				continue
			}
			ends = append(ends, store.EndReader{Store: r.Store, Channel: r.Channel, Join: r.Join})
		}
	}
	if len(ends) > 0 {
		n.out.EndReaders(ends, nil, func(error) {}) // if it fails the store has, and the next transaction says it
	}
	if err := n.commit(&tx); err != nil {
		return fmt.Errorf("put the kick on record: %w", err)
	}
	if len(tx.Joins) > 0 {
		n.poke()
	}
	return nil
}
