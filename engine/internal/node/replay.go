package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

var (
	// ErrNotReader means this node does not read the channel.
	ErrNotReader = errors.New("this node does not read the channel")
	// ErrReplaying means that a replay of the channel, or another join to it, has been asked for and is not on record yet.
	ErrReplaying = errors.New("another join to the channel is being put on record")
)

// Replay begins a new join to a channel in place of the one that it has, durably and with an entry in the audit record. Whoever sends on the channel
// starts the new join at the oldest message that it still keeps; nothing is pending for the old one any more.
func (n *Node) Replay(channel string) error {
	j, role, err := n.replaying(channel)
	if err != nil {
		return err
	}
	before, next := n.follow(channel, role)
	if err = ErrNotJoined; !before.Ended {
		before.Ended = true
		n.log.Warn().Str("channel", channel).Uint64("join", next.Number).Msg("a replay: what the channel's senders still keep is delivered again")
		err = n.commit(&store.Tx{Joins: []store.Join{before, next}, Audit: []store.AuditEntry{n.replayEntry(&next)}})
	}
	self := n.ownJoin(&Join{Channel: channel, Number: next.Number})
	n.mu.Lock()
	delete(n.rejoining, channel)
	here := n.joins[channel] == j
	if here && err == nil {
		j.Number, j.Replay = next.Number, true
		if j.self != 0 {
			j.self = max(self, j.self+1)
		}
	}
	self = j.self
	n.mu.Unlock()
	if err != nil {
		return fmt.Errorf("put it on record: %w", err)
	}
	if !here { // it was left, or this node was kicked from it, in between
		next.Ended = true
		if err := n.record([]store.Join{next}); err != nil {
			return err
		}
		return ErrNotJoined
	}
	n.in.Rejoin(channel, next.Number, self)
	n.poke()
	return nil
}

// follow returns the join that the store has, and the one that is to follow it. If it has none that goes on, before has ended.
func (n *Node) follow(channel string, role wire.Role) (before, next store.Join) {
	before.Ended = true
	for _, old := range n.store.Joins() {
		if old.Channel == channel && old.Number > before.Number {
			before = old
		}
	}
	return before, store.Join{Channel: channel, Number: before.Number + 1, Role: uint8(role), Replay: true}
}

// replaying claims a join for a replay.
func (n *Node) replaying(channel string) (*Join, wire.Role, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch j := n.joins[channel]; {
	case n.closed:
		return nil, 0, ErrClosed
	case j == nil:
		return nil, 0, ErrNotJoined
	case j.Role&wire.Reader == 0:
		return nil, 0, ErrNotReader
	case n.rejoining[channel]:
		return nil, 0, ErrReplaying
	default:
		n.rejoining[channel] = true
		return j, j.Role, nil
	}
}

func (n *Node) replayEntry(j *store.Join) store.AuditEntry {
	var m wire.Management // of which only the name counts: no other node is asked
	n.name(&m)
	return store.AuditEntry{Order: store.Order{Store: m.Store, Run: m.Run, Number: m.ID}, Node: n.id, Wall: time.Now().UnixMilli(), Action: "replay " + j.Channel,
		Outcome: fmt.Sprintf("join %d begins, at the oldest that each sender keeps", j.Number), Over: true}
}
