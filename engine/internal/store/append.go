package store

import "slices"

// flush joins the segments gathered so far into batches and writes them. Everything that depends on a channel's head flushes first,
// so that it falls between batches just where it was submitted.
func (t *txn) flush() error {
	pending := t.pending
	if len(pending) == 0 {
		return nil
	}
	if t.s.opt.PerChannel {
		sortByChannel(pending)
	}
	for len(pending) > 0 {
		n := t.cut(pending)
		if err := t.append(pending[:n]); err != nil {
			return err
		}
		pending = pending[n:]
	}
	clear(t.pending)
	t.pending = t.pending[:0]
	return nil
}

// sortByChannel gathers each channel's segments, in the order in which the channels first appear.
func sortByChannel(segments []*Segment) {
	first := make(map[string]int, 8)
	for _, s := range segments {
		if _, ok := first[s.Channel]; !ok {
			first[s.Channel] = len(first)
		}
	}
	if len(first) > 1 {
		slices.SortStableFunc(segments, func(a, b *Segment) int { return first[a.Channel] - first[b.Channel] })
	}
}

// cut returns how many of the segments go into the next batch: at least one.
func (t *txn) cut(segments []*Segment) int {
	count, size := 0, 0
	for i, s := range segments {
		full := count+s.Count > t.s.opt.BatchMessages || size+len(s.Body) > t.s.opt.BatchBytes
		if i > 0 && (full || s.Channel != segments[0].Channel) {
			return i
		}
		count += s.Count
		size += len(s.Body)
	}
	return len(segments)
}

// append writes one batch.
func (t *txn) append(segments []*Segment) error {
	c, err := t.ensure(segments[0].Channel)
	if err != nil {
		return err
	}
	b := Batch{Run: t.s.run, Channel: c.name, First: t.d.next, Prev: c.head.Last, Before: c.head.Total}
	t.bodies = t.bodies[:0]
	size, lasting := 0, false
	for _, s := range segments {
		s.First = t.d.next
		t.d.next += uint64(s.Count)
		t.bodies = append(t.bodies, s.Body)
		size += len(s.Body)
		if s.Open && c.head.OpenFrom == 0 {
			c.head.OpenFrom, c.openTotal, c.dirty = s.First, b.Before+s.First-b.First, true
		}
		if s.Earliest != 0 && (b.Earliest == 0 || s.Earliest < b.Earliest) {
			b.Earliest = s.Earliest
		}
		lasting = lasting || s.Latest == 0
		b.Latest = max(b.Latest, s.Latest)
	}
	if lasting {
		b.Latest = 0
	}
	b.Last = t.d.next - 1
	head := BatchHead{Run: b.Run, Channel: b.Channel, First: b.First, Last: b.Last, Prev: b.Prev, Earliest: b.Earliest, Latest: b.Latest}
	var parts [][]byte // of a large batch
	if t.s.opt.SealHead != nil && size > t.s.opt.LargeBatch {
		parts = append([][]byte{t.s.opt.SealHead(head, t.bodies)}, t.bodies...)
		b.Size = len(parts[0]) + size
	} else {
		b.Blob = t.s.opt.Seal(head, t.bodies)
		b.Size = len(b.Blob)
	}
	clear(t.bodies)
	if c.oldest == 0 {
		c.oldest, c.oldBefore = b.First, b.Before
	}
	c.head.Last, c.head.Total = b.Last, b.Before+b.Count()
	t.d.batches = append(t.d.batches, b)
	if err := t.insert(&b, c.id, size); err != nil || parts == nil {
		return err
	}
	return t.s.w.writeBlob(b.First, parts)
}

func (t *txn) insert(b *Batch, channel int64, size int) error {
	if !t.s.runStored && !t.d.run {
		if err := t.s.w.exec(qNewRun, b.First, b.Run); err != nil {
			return err
		}
		t.d.run = true
	}
	var blob any = b.Blob
	if b.Blob == nil {
		blob = zeros(b.Size)
	}
	return t.s.w.exec(qAppend, b.First, b.Last, b.Run, channel, b.Prev, b.Before, t.s.clock.now(), size, b.Earliest, b.Latest, blob)
}

// ensure returns the channel to change, creating its row if the log does not know it.
func (t *txn) ensure(name string) (*channel, error) {
	if c := t.d.touch(name); c != nil {
		return c, nil
	}
	t.d.lastID++
	c := &channel{id: t.d.lastID, name: name}
	if err := t.s.w.exec(qNewChannel, c.id, name); err != nil {
		return nil, err
	}
	t.d.channels[name] = c
	return c, nil
}
