package node

import (
	"github.com/getevo/rmds-router/engine/internal/store"
)

// rejoin takes over a join that this node had, and that its database, a copy of before, does not know: a sender has proved it. The join that it knows
// ended then, as it did the first time. It does not block. It is called on the membership goroutine.
func (n *Node) rejoin(channel string, number uint64) {
	n.mu.Lock()
	j := n.joins[channel]
	if j == nil || j.Number >= number || n.closed || n.rejoining[channel] {
		n.mu.Unlock()
		return
	}
	n.rejoining[channel] = true
	n.mu.Unlock()
	n.done.Go(func() {
		defer func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			delete(n.rejoining, channel)
		}()
		n.log.Warn().Str("channel", channel).Uint64("join", j.Number).Uint64("newer", number).Msg("this database is an older copy: it takes over the join that it had later, from its beginning")
		if err := n.takeUp(j, number); err != nil {
			n.log.Error().Err(err).Str("channel", channel).Msg("the later join could not be taken over; it is tried again")
		}
	})
}

func (n *Node) takeUp(j *Join, number uint64) error {
	changes := []store.Join{{Channel: j.Channel, Number: number, Role: uint8(j.Role)}}
	for _, old := range n.store.Joins() {
		if old.Channel == j.Channel && old.Number < number && !old.Ended {
			old.Ended = true
			changes = append(changes, old)
		}
	}
	if err := n.commit(&store.Tx{Joins: changes}); err != nil {
		return err
	}
	n.mu.Lock()
	now := n.joins[j.Channel]
	if now == j {
		later := *j
		later.Number, later.Replay = number, false
		n.joins[j.Channel] = &later
	}
	n.mu.Unlock()
	switch {
	case now == j:
		n.in.Rejoin(j.Channel, number, j.self)
		n.poke()
	case now == nil || now.Number != number: // the operator left, or joined anew, meanwhile
		changes[0].Ended = true
		return n.commit(&store.Tx{Joins: changes[:1]})
	}
	return nil
}
