package engine

import "fmt"

// Replay has everything that the senders of a channel still keep for their readers delivered to this node again, from the oldest message on and in order: what
// was handled is handled once more, and what waits comes in its turn. What a message does outside of the router happens again. Messages that expired meanwhile, or were
// purged, stay away.
//
// It is what the operator of a node whose database was deleted asks for: the new database went on where the old one was. The node begins a new join to the channel, which
// is durable, with an audit record, when the call returns; senders that are away learn of it when they are back, this one after a restart too. How much they
// keep is their DeliveredMessageRetention. At a sender the old join ends, with what was pending for it counted as removed there and accepted again for the new
// one. This node's handlers stay attached; a message that is in one meanwhile ends as it would. A sender without any record of this node
// begins where NewReaders says.
//
// The error wraps ErrLeft if the channel is not joined, ErrRole if it is not read, ErrReplaying, ErrClosed or ErrStorage.
func (m *Management) Replay(channel string) error {
	if err := m.c.node.Replay(channel); err != nil {
		return fmt.Errorf("replay channel %s: %w", channel, publicError(err))
	}
	return nil
}
