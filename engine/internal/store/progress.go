package store

import "slices"

// olderRuns is how many runs before its newest a position remembers.
const olderRuns = 64

func (t *txn) progress(p *Progress) error {
	k := positionKey{p.Sender, p.Channel, p.Join}
	if p.Seq != 0 {
		t.movePosition(k, p)
	}
	for i := range p.Journal {
		if err := t.keep(p.Channel, &p.Journal[i]); err != nil {
			return err
		}
	}
	for i := range p.Bad {
		if err := t.keepBad(&p.Bad[i]); err != nil {
			return err
		}
	}
	if a := p.Attempt; a != nil {
		t.d.attempts[k] = *a
	}
	for i := range p.Dead {
		l := &p.Dead[i]
		if err := t.s.w.exec(qNewDeadLetter, l.Sender, l.Node, l.Channel, l.Join, l.Run, l.Seq, l.Reason, l.Attempts, l.Wall, l.Message); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) movePosition(k positionKey, p *Progress) {
	old, known := t.d.position(k)
	now := Position{Sender: p.Sender, Node: p.Node, Channel: p.Channel, Join: p.Join, Run: p.Run, Seq: p.Seq, Totals: p.Totals, Older: old.Older}
	if known && old.Run != p.Run {
		now.Older = slices.DeleteFunc(slices.Clone(old.Older), func(r RunPosition) bool { return r.Run == p.Run })
		now.Older = slices.Insert(now.Older, 0, RunPosition{old.Run, old.Seq})
		if len(now.Older) > olderRuns {
			now.Older = now.Older[:olderRuns]
		}
		t.d.rerun[k] = true
	}
	t.d.positions[k] = now
	if a, attempted := t.d.attempt(k); attempted && (a.Run != p.Run || a.Seq <= p.Seq) {
		t.d.attempts[k] = Attempt{}
	}
}

// write stores the rows that the transaction changed, each once.
func (t *txn) write() error {
	for _, step := range []func() error{t.writeChannels, t.writeReaders, t.writePositions, t.writeAttempts, t.writeState, t.writeClock} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) writeChannels() error {
	for _, c := range t.d.channels {
		if !c.dirty {
			continue
		}
		if err := t.s.w.exec(qSetChannel, c.head.OpenFrom, c.openTotal, c.head.Floor, c.floorTotal, c.id); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) writeReaders() error {
	for k, r := range t.d.readers {
		if r.forgotten {
			if err := t.s.w.exec(qDropReader, k.store, k.channel, k.join); err != nil {
				return err
			}
			continue
		}
		n := &r.Totals
		if err := t.s.w.exec(qSetReader, r.Store, r.Channel, r.Join, r.Node, r.Start, r.Position, r.StartTotal, r.Done, r.EndTotal, r.Removed, r.Ended,
			n.Handled, n.Dead, n.Expired, n.Purged, n.Overflow, n.Pruned, n.Corrupt, r.Replaced, r.Beyond, r.Proof); err != nil {
			return err
		}
	}
	for _, j := range t.d.joins {
		role := j.Role
		if j.Replay {
			role |= replayed
		}
		if err := t.s.w.exec(qSetJoin, j.Channel, j.Number, role, j.Ended); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) writePositions() error {
	for k, p := range t.d.positions {
		n := &p.Totals
		if err := t.s.w.exec(qSetPosition, p.Sender, p.Channel, p.Join, p.Node, p.Run, p.Seq,
			n.Handled, n.Dead, n.Expired, n.Purged, n.Overflow, n.Pruned, n.Corrupt); err != nil {
			return err
		}
		if !t.d.rerun[k] {
			continue
		}
		if err := t.s.w.exec(qDropPositionRuns, k.sender, k.channel, k.join); err != nil {
			return err
		}
		for age, o := range p.Older {
			if err := t.s.w.exec(qNewPositionRun, k.sender, k.channel, k.join, age, o.Run, o.Seq); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *txn) writeAttempts() error {
	for k, a := range t.d.attempts {
		var err error
		if a.Count == 0 {
			err = t.s.w.exec(qDropAttempt, k.sender, k.channel, k.join)
		} else {
			err = t.s.w.exec(qSetAttempt, k.sender, k.channel, k.join, a.Run, a.Seq, a.Count)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) writeState() error {
	for ns, keys := range t.d.state {
		for key, value := range keys {
			var err error
			if value == nil {
				err = t.s.w.exec(qDropState, ns, []byte(key))
			} else {
				err = t.s.w.exec(qSetState, ns, []byte(key), value)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// writeClock keeps the durable ceiling above the time of this transaction. The first one after Open always writes it, for the ceiling is
// then where the clock began.
func (t *txn) writeClock() error {
	now := t.s.clock.now()
	if now < t.s.clock.ceiling {
		return nil
	}
	t.d.ceiling = now + engineLease.Milliseconds()
	return t.s.w.exec(qSetClean, false, t.d.ceiling)
}
