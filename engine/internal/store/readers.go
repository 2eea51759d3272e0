package store

import "math"

func (t *txn) changeReader(ch *ReaderChange) error {
	switch {
	case ch.Add != nil:
		return t.addReader(ch.Add)
	case ch.Move != nil:
		return t.moveReader(ch.Move)
	case ch.End != nil:
		return t.endReader(ch.End)
	}
	return nil
}

func (t *txn) addReader(a *AddReader) error {
	if err := t.flush(); err != nil {
		return err
	}
	k := readerKey{a.Store, a.Channel, a.Join}
	if _, known := t.d.reader(k); known {
		return nil
	}
	stale := false
	var older, replaced []readerKey
	t.d.readersOf(a.Channel, func(k readerKey, r Reader) {
		switch {
		case k.store == a.Store && k.join > a.Join:
			stale = true
		case r.Ended:
		case k.store == a.Store:
			older = append(older, k)
		case r.Node == a.Node:
			replaced = append(replaced, k)
		}
	})
	if stale {
		return nil
	}
	for _, k := range older {
		t.removeReader(k)
	}
	r := Reader{Store: a.Store, Node: a.Node, Channel: a.Channel, Join: a.Join}
	if len(replaced) > 0 {
		if err := t.takeOver(&r, replaced); err != nil {
			return err
		}
	} else {
		t.place(&r, a.Start)
	}
	r.Position, r.Done = r.Start, r.StartTotal
	t.d.readers[k] = r
	return nil
}

// place sets where a new reader begins.
func (t *txn) place(r *Reader, at Start) {
	c := t.d.peek(r.Channel)
	if c == nil {
		return
	}
	r.Start, r.StartTotal = c.head.Last, c.head.Total
	switch {
	case at == StartOpen && c.head.OpenFrom != 0:
		r.Start, r.StartTotal = c.head.OpenFrom-1, c.openTotal
	case at == StartAll && c.oldest != 0:
		r.Start, r.StartTotal = c.oldest-1, c.oldBefore
	}
}

// takeOver gives r the place of its node's rows under another store, and closes those without counting what is pending as removed:
// it is pending for r now. Skips that were set for the old reader hold for the new one.
func (t *txn) takeOver(r *Reader, replaced []readerKey) error {
	r.Start = math.MaxUint64
	for _, k := range replaced {
		old, _ := t.d.reader(k)
		if old.Position < r.Start {
			r.Start, r.StartTotal = old.Position, old.Done
		}
		old.Ended, old.EndTotal = true, old.Done
		t.d.readers[k] = old
		if err := t.s.w.exec(qMoveSkips, r.Store, r.Join, r.Channel, k.store, k.join); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) endReader(e *EndReader) error {
	if err := t.flush(); err != nil {
		return err
	}
	k := readerKey{e.Store, e.Channel, e.Join}
	if _, known := t.d.reader(k); !known {
		h := t.d.head(e.Channel)
		t.d.readers[k] = Reader{Store: e.Store, Channel: e.Channel, Join: e.Join, Start: h.Last, Position: h.Last,
			StartTotal: h.Total, Done: h.Total}
	}
	t.removeReader(k)
	return nil
}

// removeReader ends a row that exists: what is pending counts as removed.
func (t *txn) removeReader(k readerKey) {
	r, _ := t.d.reader(k)
	if r.Ended {
		return
	}
	total := t.d.head(k.channel).Total
	r.Ended, r.EndTotal, r.Removed = true, total, total-r.Done
	t.d.readers[k] = r
}

func (t *txn) moveReader(m *MoveReader) error {
	k := readerKey{m.Store, m.Channel, m.Join}
	r, known := t.d.reader(k)
	if !known || r.Ended {
		return nil
	}
	r.Totals = m.Totals
	c := t.d.world.channels[m.Channel] // as committed: a reader cannot be past that
	position := m.Position
	if c != nil {
		position = min(position, c.head.Last)
	}
	switch {
	case c == nil || position <= r.Start:
		r.Position, r.Done = r.Start, r.StartTotal
	case position < c.head.Floor:
		// How many messages lay up to here is no longer known; the reader's own count is.
		r.Position, r.Done = position, min(r.StartTotal+m.Totals.Sum(), c.floorTotal)
	default:
		done, err := t.s.upto(t.s.w, c, position)
		if err != nil {
			return err
		}
		r.Position, r.Done = position, done
	}
	t.d.readers[k] = r
	return nil
}

// skip stores a range, as part of the range before it when they touch and have the same reason.
func (t *txn) skip(r *SkipRange) error {
	c, err := t.ensure(r.Channel)
	if err != nil {
		return err
	}
	from, to := r.From, min(r.To, math.MaxInt64)
	c.skipTop = max(c.skipTop, to)
	t.d.skipped = true
	before, found, err := t.skipBefore(r)
	if err != nil {
		return err
	}
	if found && before.Reason == r.Reason && before.To+1 >= from {
		return t.s.w.exec(qExtendSkip, max(to, before.To), r.Channel, r.Store, r.Join, before.From, r.Reason)
	}
	return t.s.w.exec(qNewSkip, r.Channel, r.Store, r.Join, from, r.Reason, to)
}
