package sim

import (
	"slices"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// reorder forgets what was handed over to a reader last: the next message may be an earlier one.
func (c *checker) reorder(reader string) {
	for f := range c.lastSeq {
		if f.reader == reader {
			delete(c.lastSeq, f)
			delete(c.lastID, f)
		}
	}
	for f := range c.turns {
		if f.reader == reader {
			delete(c.turns, f)
		}
	}
}

// revived finds a message that comes for the first time after a later one of the same run: it had been skipped.
func (c *checker) revived(i int, e *Event, f flow, m *message) {
	name := runOf(e.ID)
	p := place{f, name[0]}
	at := c.furthest[p]
	_, seen := c.ends[f][e.Key]
	if at.run == name[1] && e.Seq < at.seq && !seen && !m.expires && !c.rolledBack(e.Sender) {
		c.bad(Revived, "#%d %s: it had been passed over for sequence %d", i, e, at.seq)
	}
	if at.run != name[1] || e.Seq > at.seq {
		c.furthest[p] = mark{name[1], e.Seq}
	}
}

// inOrder checks one hand-over against the one before. Over channels, order holds among what was sent while the reader's present join was on
// record: what a channel kept for readers yet to come begins when its reader's place is durable, and that of another channel may have been so before.
func (c *checker) inOrder(i int, e *Event, f flow, m *message) {
	scopes := []flow{f}
	if c.cross[e.Node] && c.ordered[e.Sender] && e.Node != e.Sender && !c.rolledBack(e.Sender) && c.awaited(m, pair{e.Node, e.Channel}) {
		scopes = append(scopes, flow{f.reader, "", f.sender})
	}
	for _, s := range scopes {
		last, id := c.lastSeq[s], c.lastID[s]
		restored := c.rolledBack(e.Sender) && runOf(id) != runOf(e.ID) // sequences are used again
		if !restored && (e.Seq < last || e.Seq == last && e.ID != id) {
			c.bad(Order, "#%d %s: sequence %d had come before", i, e, last)
		}
		c.lastSeq[s], c.lastID[s] = e.Seq, e.ID
	}
	p := place{f, runOf(e.ID)[0]}
	t := c.turns[p]
	if t != nil && t.id == e.ID && t.held && e.Attempt != t.attempt {
		c.bad(Counted, "#%d %s: attempt %d was held", i, e, t.attempt)
	}
	last := t != nil && t.attempt >= c.h.Attempts && !t.held || t != nil && t.held && c.messages[t.key].expires
	if t != nil && t.id != e.ID && !t.decided && !last && c.purged[e.Sender] <= t.at { // else it may have been purged meanwhile
		c.bad(Passed, "#%d %s: there was no verdict on %s", i, e, t.key)
	}
	c.turns[p] = &turn{id: e.ID, key: e.Key, attempt: e.Attempt, at: i}
}

// awaited tells whether a reader's present join was on record when a message was sent.
func (c *checker) awaited(m *message, reader pair) bool {
	at := slices.Index(m.readers, reader.node)
	return at >= 0 && (at >= len(m.joins) || m.joins[at] == c.joins[reader])
}

// runOf is the part of an engine's message id that names the store and its run.
func runOf(id string) [2]wire.ID {
	store, run, _, err := wire.ParseMessageID(id)
	if err != nil {
		return [2]wire.ID{}
	}
	return [2]wire.ID{store, run}
}
