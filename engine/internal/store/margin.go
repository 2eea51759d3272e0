package store

import (
	"fmt"
	"math"

	"github.com/ncruces/go-sqlite3"
)

// margin is how much of MaxSize is kept free, in bytes: what is delivered is pruned before a send needs its room.
func (o *Options) margin() int64 { return min(max(o.MaxSize/8, 1<<20), 64<<20) }

// Short tells whether less than the margin is free of MaxSize. Then positions that let something be pruned should be stored soon.
func (s *Store) Short() bool { return s.short.Load() }

// Full tells whether what needs room has none: some of it waits, or next to nothing of MaxSize is free.
func (s *Store) Full() bool { return s.full.Load() }

// leastPages is how many free pages of MaxSize are next to nothing: a small transaction may take as many.
const leastPages = 4

func (s *Store) noteFull() {
	s.full.Store(len(s.kept) > 0 || s.opt.MaxSize > 0 && s.opt.MaxSize/pageSize-s.pages+s.free < leastPages)
}

// measure reads how many pages the file has and how many of them are free, as of the transaction under way.
func (s *Store) measure() error {
	for _, m := range []struct {
		q  query
		to *int64
	}{{qPages, &s.pages}, {qFree, &s.free}} {
		if err := s.w.each(m.q, func(st *sqlite3.Stmt) bool {
			*m.to = st.ColumnInt64(0)
			return false
		}); err != nil {
			return fmt.Errorf("measure the database: %w", err)
		}
	}
	return nil
}

// keepMargin prunes a little more than was just appended, along with the next commit, while the margin is not free.
func (s *Store) keepMargin() {
	if s.opt.MaxSize <= 0 {
		return
	}
	short := (s.pages-s.free)*pageSize > s.opt.MaxSize-s.opt.margin()
	s.short.Store(short)
	if !short || s.barren || s.clearing {
		return
	}
	size := int64(0)
	for i := range s.txn.d.batches {
		size += int64(len(s.txn.d.batches[i].Blob))
	}
	p := &pruning{left: max(pruneChunk, 2*len(s.txn.d.batches)), bytes: max(pruneBytes, 2*size), older: math.MaxInt64, room: true}
	s.clearing = true
	if s.queueUp(&work{prune: p, tx: &Tx{Done: func(err error) { s.clearing, s.barren = false, err != nil || !p.more }}}) != nil {
		s.clearing = false // closed: there will be no more sends
	}
}

// fertile tells whether a transaction changes what may be pruned, beside adding to it.
func (d *delta) fertile() bool {
	if len(d.readers) > 0 || d.skipped || d.journaled {
		return true
	}
	for _, c := range d.channels {
		if c.dirty {
			return true
		}
	}
	return false
}

// crowdedChunk is how many batches a step of clearFor deletes at most: senders wait for it.
const crowdedChunk = 1024

// clearFor prunes until the file has free pages for the group, or there is nothing left to prune. It returns only errors after which the
// store must not go on.
func (s *Store) clearFor(group []*work) error {
	need := int64(16 * pageSize)
	for _, w := range group {
		need += int64(w.bytes) * 5 / 4
	}
	if err := s.limitPages(reservedPages); err != nil {
		return err
	}
	more := true
	for more && s.free*pageSize < need {
		p := &pruning{left: crowdedChunk, bytes: pruneBytes, older: math.MaxInt64, room: true}
		step := []*work{{prune: p, tx: &Tx{}}}
		err := s.commit(step)
		if err != nil && damaged(err) {
			if step, err = s.setAside(err, step); err == nil && len(step) > 0 {
				continue
			}
		}
		if noRoom(err) || len(step) == 0 {
			break
		}
		if err != nil {
			return err
		}
		s.settle()
		more = p.more
	}
	return s.limitPages(0)
}
