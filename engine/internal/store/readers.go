package store

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

func (t *txn) changeReader(ch *ReaderChange) error {
	switch {
	case ch.Add != nil:
		return t.addReader(ch.Add)
	case ch.Move != nil:
		return t.moveReader(ch.Move)
	case ch.End != nil:
		return t.endReader(ch.End)
	case ch.Name != nil:
		t.nameReader(ch.Name)
	}
	return nil
}

func (t *txn) nameReader(n *NameReader) {
	t.d.eachReader(func(k readerKey, r Reader) {
		if k.store == n.Store && r.Node != n.Node {
			r.Node = n.Node
			t.d.readers[k] = r
		}
	})
}

func (t *txn) addReader(a *AddReader) error {
	if err := t.flush(); err != nil {
		return err
	}
	k := readerKey{a.Store, a.Channel, a.Join}
	r, known := t.d.reader(k)
	if known && !r.Replaced {
		return nil
	}
	stale := false
	var older, replaced, earlier []readerKey
	t.d.readersNear(a.Channel, a.Node, a.Store, func(k readerKey, r Reader) {
		if k.store == a.Store && k.join < a.Join {
			earlier = append(earlier, k)
		}
		switch {
		case k.store == a.Store && k.join > a.Join:
			stale = true
		case r.Ended && !r.Replaced || k.join == a.Join && k.store == a.Store:
		case k.store == a.Store:
			older = append(older, k)
		case r.Node == a.Node && !r.Ended:
			replaced = append(replaced, k)
		}
	})
	if stale {
		return nil
	}
	for _, k := range older {
		t.removeReader(k)
	}
	if known {
		r.Node, r.Ended, r.Replaced, r.EndTotal = a.Node, false, false, 0
	} else {
		r = Reader{Store: a.Store, Node: a.Node, Channel: a.Channel, Join: a.Join}
		again := a.Replay && len(earlier)+len(replaced) > 0
		t.place(&r, a.Start, replaced, again)
		if again {
			if err := t.keepPurged(k, earlier); err != nil {
				return err
			}
		}
	}
	if err := t.takeOver(k, replaced); err != nil {
		return err
	}
	t.d.readers[k] = r
	t.forgetPast(a.Channel, a.Node)
	return nil
}

// place sets where a new reader begins: where its node's rows under another store are, if there are any; again means at the oldest that the log has.
func (t *txn) place(r *Reader, at Start, replaced []readerKey, again bool) {
	defer func() { r.Position, r.Done = r.Start, r.StartTotal }()
	for i, k := range replaced {
		if old, _ := t.d.reader(k); i == 0 || old.Position < r.Start {
			r.Start, r.StartTotal = old.Position, old.Done
		}
	}
	c := t.d.peek(r.Channel)
	if c == nil || len(replaced) > 0 && !again {
		return
	}
	switch {
	case (at == StartAll || again) && c.oldest != 0:
		r.Start, r.StartTotal = c.oldest-1, c.oldBefore
	case len(replaced) > 0:
	case at == StartOpen && c.head.OpenFrom != 0:
		r.Start, r.StartTotal = c.head.OpenFrom-1, c.openTotal
	default:
		r.Start, r.StartTotal = c.head.Last, c.head.Total
	}
}

// keepPurged makes what was purged for a store's earlier joins purged for this one, which starts before it: it is kept, and not to be delivered.
func (t *txn) keepPurged(k readerKey, earlier []readerKey) error {
	for _, was := range earlier {
		if err := t.s.w.exec(qCopyPurged, k.store, k.join, k.channel, was.store, was.join); err != nil {
			return err
		}
	}
	return nil
}

// takeOver closes rows whose node has another store now, k, without counting what is pending as removed: it is pending for k. Skips
// that were set for the one hold for the other, whichever it is that comes back.
func (t *txn) takeOver(k readerKey, replaced []readerKey) error {
	for _, was := range replaced {
		old, _ := t.d.reader(was)
		old.Ended, old.Replaced, old.EndTotal = true, true, old.Done
		t.d.readers[was] = old
		if err := t.s.w.exec(qCopySkips, k.store, k.join, k.channel, was.store, was.join); err != nil {
			return err
		}
	}
	return nil
}

// maxPast bounds the ended and replaced rows that are kept of one node on one channel. A node that starts on a new database each time
// would fill this one with them.
const maxPast = 64

// forgetPast drops a node's rows that ended earliest in the channel's log, above the bound.
func (t *txn) forgetPast(channel, node string) {
	var past []Reader
	t.d.readersNear(channel, node, ID{}, func(_ readerKey, r Reader) {
		if r.Ended && r.Node == node {
			past = append(past, r)
		}
	})
	if len(past) <= maxPast {
		return
	}
	slices.SortFunc(past, func(a, b Reader) int {
		return cmp.Or(cmp.Compare(a.EndTotal, b.EndTotal), bytes.Compare(a.Store[:], b.Store[:]), cmp.Compare(a.Join, b.Join))
	})
	for _, r := range past[:len(past)-maxPast] {
		r.forgotten = true
		t.d.readers[readerKey{r.Store, r.Channel, r.Join}] = r
	}
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
		r.Replaced = false // what was pending is another row's
		t.d.readers[k] = r
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
	if m.Proof != (ID{}) {
		r.Proof = m.Proof
	}
	c := t.d.world.channels[m.Channel] // as committed: a reader cannot be past that
	var position, upto uint64
	if c != nil {
		position = min(m.Position, c.head.Last)
		var err error
		if upto, err = t.s.upto(t.s.w, c, position); err != nil {
			return err
		}
	}
	r.Position = position
	if m.Opens && position < r.Start {
		r.Start, r.StartTotal = position, upto
	}
	switch {
	case position <= r.Start:
		r.Position, r.Done = r.Start, r.StartTotal
	case position < c.head.Floor:
		// How many messages lay up to here is no longer known; the reader's own count is.
		r.Done = min(r.Counted(m.Totals), c.floorTotal)
	default:
		r.Done = upto
	}
	if m.Opens {
		r.Settle()
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
