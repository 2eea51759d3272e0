package store

import (
	"errors"
	"math"

	"github.com/ncruces/go-sqlite3"
)

// What one transaction deletes at most: commits that wait behind it must not notice. It takes no further batch past the bytes.
const (
	pruneChunk = 64
	pruneBytes = 4 << 20
)

// pruneRun is how many batches of a channel go before it is asked again which channel has the oldest.
const pruneRun = 16

// pruning deletes batches that nobody needs, the oldest first, about.
type pruning struct {
	left    int
	bytes   int64 // of blobs
	older   int64 // engine time of the newest commit that may go
	deleted int
	freed   int64 // bytes of blobs
	more    bool  // it ended at a limit
	room    bool  // for the room's sake: the journal goes first
}

func (p *pruning) full() bool { return p.deleted >= p.left || p.freed >= p.bytes }

// Prune deletes up to limit batches that were committed at or before the engine time olderThan, that every active reader of their
// channel is past, or would be with what is skipped for it, and that no open mark keeps. It works in small transactions, with other work in between, and returns how many
// batches are gone; fewer than limit: there are no more.
func (s *Store) Prune(limit int, olderThan int64) (int, error) {
	total := 0
	for total < limit {
		p := &pruning{left: min(pruneChunk, limit-total), bytes: pruneBytes, older: olderThan}
		if err := s.do(&work{tx: &Tx{}, prune: p}); err != nil {
			return total, err
		}
		total += p.deleted
		if !p.more {
			break
		}
	}
	return total, nil
}

func (t *txn) prune(p *pruning) error {
	if err := t.flush(); err != nil {
		return err
	}
	p.deleted, p.freed, p.more = 0, 0, false // an earlier attempt may have been rolled back
	if p.room {
		if err := t.pruneJournal(p); err != nil {
			return err
		}
	}
	needs, err := t.needs()
	if err != nil {
		return err
	}
	for !p.full() {
		c := t.stalest(needs)
		if c == nil {
			return nil
		}
		before := p.deleted
		if err := t.pruneChannel(c, needs[c.name], p); err != nil {
			return err
		}
		if p.deleted == before {
			delete(needs, c.name) // what is left of it is too young
		}
	}
	p.more = true
	return nil
}

// need says what of a channel is needed no more. Both are sequences.
type need struct {
	ended    uint64 // up to here everything is at its end for everybody, or is to be skipped
	reported uint64 // up to here everybody has said so
}

// needs looks at every channel that has batches: at its readers, and at the open mark, which stands for readers yet to come. What is
// skipped for a reader from its place on has ended by choice, whether or not the reader knows; it is told even when the messages are gone.
func (t *txn) needs() (map[string]need, error) {
	needs := make(map[string]need, len(t.d.world.channels))
	var failed error
	lower := func(n need, c *channel, reader ID, join, position uint64) need {
		n.reported = min(n.reported, position)
		if position < n.ended && position < c.skipTop {
			beyond, err := t.skipped(c.name, reader, join, position)
			failed = errors.Join(failed, err)
			position = max(beyond, position)
		}
		n.ended = min(n.ended, position)
		return n
	}
	for name := range t.d.world.channels {
		c := t.d.peek(name)
		if c.oldest == 0 {
			continue
		}
		n := need{c.head.Last, c.head.Last}
		if c.head.OpenFrom != 0 {
			n = lower(n, c, ID{}, 0, c.head.OpenFrom-1)
		}
		needs[name] = n
	}
	t.d.eachReader(func(k readerKey, r Reader) {
		if n, ok := needs[k.channel]; ok && !r.Ended {
			needs[k.channel] = lower(n, t.d.peek(k.channel), k.store, k.join, r.Position)
		}
	})
	return needs, failed
}

// skipped returns the last sequence of the skips that follow each other without a gap right behind a reader's position, all for one reason:
// what is pruned of them can still be told under its reason. Without any it is the position.
func (t *txn) skipped(channel string, reader ID, join, position uint64) (uint64, error) {
	covering := func(seq uint64, row func(reason uint8, to uint64)) error {
		for _, r := range []SkipRange{{Store: reader, Join: join}, {}} {
			if err := t.s.w.each(qSkips, func(st *sqlite3.Stmt) bool {
				row(uint8(st.ColumnInt64(2)), columnUint(st, 1))
				return true
			}, channel, r.Store, r.Join, seq, seq); err != nil {
				return err
			}
		}
		return nil
	}
	ends := map[uint8]uint64{}
	if err := covering(position+1, func(reason uint8, to uint64) { ends[reason] = max(ends[reason], to) }); err != nil {
		return 0, err
	}
	last := position
	for reason, end := range ends {
		for before := position; end > before; {
			before = end
			if err := covering(end+1, func(other uint8, to uint64) {
				if other == reason {
					end = max(end, to)
				}
			}); err != nil {
				return 0, err
			}
		}
		last = max(last, end)
	}
	return last, nil
}

// stalest finds the channel with the oldest batch that may go; nil: there is none.
func (t *txn) stalest(needs map[string]need) *channel {
	var found *channel
	oldest := uint64(math.MaxUint64)
	for name, n := range needs {
		if c := t.d.peek(name); c.oldest != 0 && c.oldest <= n.ended && c.oldest < oldest {
			found, oldest = c, c.oldest
		}
	}
	return found
}

func (t *txn) pruneChannel(c *channel, n need, p *pruning) error {
	floor, total, gone, err := t.doomed(c, n.ended, p)
	if err != nil || len(gone) == 0 {
		return err
	}
	for _, first := range gone {
		t.dropping = first
		if err := t.s.w.exec(qDrop, first); err != nil {
			return err
		}
		t.dropping = 0
	}
	p.deleted += len(gone)
	if err := t.lower(t.d.touch(c.name), floor, total); err != nil {
		return err
	}
	return t.s.w.exec(qDropSkips, c.name, min(floor, n.reported))
}

// doomed lists the first sequences of the channel's batches that go, and where its floor is then.
func (t *txn) doomed(c *channel, bound uint64, p *pruning) (floor, total uint64, gone []uint64, err error) {
	err = t.s.w.each(qOldest, func(st *sqlite3.Stmt) bool {
		first, last := columnUint(st, 0), columnUint(st, 1)
		if last > bound || st.ColumnInt64(3) > p.older || p.freed >= p.bytes {
			return false
		}
		floor, total = last, columnUint(st, 2)+last-first+1
		gone = append(gone, first)
		p.freed += st.ColumnInt64(4)
		return true
	}, c.id, min(p.left-p.deleted, pruneRun))
	return floor, total, gone, err
}

// lower records that everything up to floor is gone.
func (t *txn) lower(c *channel, floor, total uint64) error {
	c.head.Floor, c.floorTotal, c.dirty = floor, total, true
	c.oldest, c.oldBefore = 0, 0
	if err := t.s.w.each(qFirstBatch, func(st *sqlite3.Stmt) bool {
		c.oldest, c.oldBefore = columnUint(st, 0), columnUint(st, 1)
		return false
	}, c.id, floor); err != nil {
		return err
	}
	t.d.dropped = append(t.d.dropped, Batch{Channel: c.name, Last: floor})
	return nil
}
