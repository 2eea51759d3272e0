package store

import "github.com/ncruces/go-sqlite3"

// pruneChunk is how many batches one transaction deletes at most.
const pruneChunk = 64

// pruning deletes batches that nobody needs.
type pruning struct {
	left    int
	older   int64 // engine time of the newest commit that may go
	deleted int
}

// Prune deletes up to limit batches, oldest first within each channel, that were committed at or before the engine time olderThan,
// that every active reader of their channel is past, and that no open mark keeps. It works in small transactions, with other work
// in between, and returns how many batches are gone; fewer than limit: there are no more.
func (s *Store) Prune(limit int, olderThan int64) (int, error) {
	total := 0
	for total < limit {
		p := &pruning{left: min(pruneChunk, limit-total), older: olderThan}
		want := p.left
		if err := s.do(&work{tx: &Tx{}, prune: p}); err != nil {
			return total, err
		}
		total += p.deleted
		if p.deleted < want {
			break
		}
	}
	return total, nil
}

func (t *txn) prune(p *pruning) error {
	if err := t.flush(); err != nil {
		return err
	}
	p.deleted = 0 // an earlier attempt may have been rolled back
	for name := range t.d.world.channels {
		if p.deleted == p.left {
			break
		}
		if err := t.pruneChannel(name, p); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) pruneChannel(name string, p *pruning) error {
	c := t.d.peek(name)
	bound := c.head.Last
	t.d.readersOf(name, func(_ readerKey, r Reader) {
		if !r.Ended {
			bound = min(bound, r.Position)
		}
	})
	if c.head.OpenFrom != 0 {
		bound = min(bound, c.head.OpenFrom-1)
	}
	if c.oldest == 0 || c.oldest > bound {
		return nil
	}
	floor, total, gone, err := t.doomed(c, bound, p)
	if err != nil || len(gone) == 0 {
		return err
	}
	for _, first := range gone {
		if err := t.s.w.exec(qDrop, first); err != nil {
			return err
		}
	}
	p.deleted += len(gone)
	return t.lower(t.d.touch(name), floor, total)
}

// doomed lists the first sequences of the channel's batches that go, and where its floor is then.
func (t *txn) doomed(c *channel, bound uint64, p *pruning) (floor, total uint64, gone []uint64, err error) {
	err = t.s.w.each(qOldest, func(st *sqlite3.Stmt) bool {
		first, last := columnUint(st, 0), columnUint(st, 1)
		if last > bound || st.ColumnInt64(3) > p.older {
			return false
		}
		floor, total = last, columnUint(st, 2)+last-first+1
		gone = append(gone, first)
		return true
	}, c.id, p.left-p.deleted)
	return floor, total, gone, err
}

// lower records that everything up to floor is gone.
func (t *txn) lower(c *channel, floor, total uint64) error {
	c.head.Floor, c.floorTotal, c.dirty = floor, total, true
	c.oldest, c.oldBefore = 0, 0
	if err := t.s.w.each(qFirstBatch, func(st *sqlite3.Stmt) bool {
		c.oldest, c.oldBefore = columnUint(st, 0), columnUint(st, 1)
		return false
	}, c.id); err != nil {
		return err
	}
	t.d.dropped = append(t.d.dropped, Batch{Channel: c.name, Last: floor})
	return t.s.w.exec(qDropSkips, c.name, floor)
}
