package sim

import "github.com/getevo/rmds-router/engine"

// journals takes down what a node's journals hold.
func (w *world) journals(n *node) {
	for _, j := range n.plan.joins {
		ch := n.run.channel(j.channel)
		if !j.journal || !j.reads() || ch == nil {
			continue
		}
		journal := Journal{Node: n.plan.id, Channel: j.channel, Holes: n.full != nil}
		err := ch.Journal(engine.JournalRange{}, func(m *engine.Message) bool {
			key, whole := keyOf(m.Data)
			journal.Entries = append(journal.Entries, Entry{Sender: m.Sender, Key: key, ID: m.ID, Seq: m.Seq, Broken: !whole})
			return true
		})
		if err != nil {
			w.trouble(n, "read the journal of %s: %v", j.channel, err)
		}
		w.history.Final.Journals = append(w.history.Final.Journals, journal)
	}
}

// journals checks that a journal holds every message that was handled, once, and nothing else.
func (c *checker) journals() {
	for i := range c.h.Final.Journals {
		j := &c.h.Final.Journals[i]
		held, had := map[string]bool{}, map[flow]Entry{}
		for _, e := range j.Entries {
			f := flow{j.Node, j.Channel, e.Sender}
			m := c.messages[e.Key]
			switch last, ok := had[f]; {
			case e.Broken || m == nil || m.sender != (pair{e.Sender, j.Channel}):
				c.bad(Journaled, "%s keeps %s of %s from %s in its journal, which nobody sent", j.Node, e.Key, j.Channel, e.Sender)
			case held[e.ID]:
				c.bad(Journaled, "%s keeps %s of %s twice in its journal", j.Node, e.Key, j.Channel)
			case ok && e.Seq < last.Seq && !c.rolledBack(e.Sender) && !c.rolledBack(j.Node) && !c.leaver[pair{j.Node, j.Channel}]:
				c.bad(Journaled, "%s keeps %s of %s in its journal behind %s", j.Node, e.Key, j.Channel, last.Key)
			}
			held[e.ID], held[e.Key], had[f] = true, true, e
		}
		if !j.Holes && !c.rolledBack(j.Node) && !c.leaver[pair{j.Node, j.Channel}] {
			c.missing(j, held)
		}
	}
}

// missing finds what was handled and is not in the journal. What was handled before a crash may have been skipped after it.
func (c *checker) missing(j *Journal, held map[string]bool) {
	for f, ends := range c.ends {
		if f.reader != j.Node || f.channel != j.Channel || c.rolledBack(f.sender) {
			continue
		}
		spare := c.spare(f)
		for key, end := range ends {
			if held[key] || end.verdict != Acked || c.messages[key].expires {
				continue
			}
			if spare--; spare < 0 {
				c.bad(Journaled, "%s handled %s of %s from %s, and its journal does not hold it", f.reader, key, f.channel, f.sender)
			}
		}
	}
}
