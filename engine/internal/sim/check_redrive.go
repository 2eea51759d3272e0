package sim

// redriven checks that what is handed over once more is a dead letter.
func (c *checker) redriven(i int, e *Event, f flow) {
	if c.rolledBack(f.reader) || c.emittedAgain(e.Key) || c.leaver[pair{f.reader, f.channel}] { // else another message of that key may be meant
		return
	}
	if end := c.ends[f][e.Key]; !c.ended(f, e.Key) || end.verdict == Acked {
		c.bad(Buried, "#%d %s: it was no dead letter", i, e)
	}
}

// revisited takes notice of what became of a dead letter that was handed over once more. What its handler decides counts when it is durable.
func (c *checker) revisited(i int, e *Event, end *ending) {
	switch {
	case end == nil:
	case e.Kind == Acked:
		end.redriven = Unknown
	case e.Kind == Redriven:
		end.redriven, end.verdict, end.acked = Acked, Acked, i
	}
}
