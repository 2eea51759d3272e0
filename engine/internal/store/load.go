package store

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// loadMeta reads who the database belongs to.
func (s *Store) loadMeta() error {
	found := false
	var node string
	var engine int64
	if err := s.w.each(qMeta, func(st *sqlite3.Stmt) bool {
		s.id, node, engine, s.clean, found = columnID(st, 0), st.ColumnText(1), st.ColumnInt64(3), st.ColumnBool(4), true
		return false
	}); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: its meta row is missing", ErrCorrupt)
	}
	if s.opt.NodeID == "" {
		s.opt.NodeID = node
	}
	if node != s.opt.NodeID {
		return fmt.Errorf("%w: the database belongs to %q, not to %q", ErrNodeID, node, s.opt.NodeID)
	}
	s.clock.reset(engine)
	return nil
}

func (s *Store) loadSecret() error {
	return s.w.each(qSecret, func(st *sqlite3.Stmt) bool {
		s.secret = columnID(st, 0)
		return false
	})
}

// load reads into memory all that is held there. Its cost grows with the number of channels and readers, not with the log.
func (s *Store) load() error {
	s.run = s.opt.NewID()
	for _, part := range []func() error{s.loadMeta, s.loadSecret, s.loadChannels, s.loadRuns, s.loadReaders, s.loadPositions, s.loadSkips} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) loadChannels() error {
	w := s.world
	if err := s.w.each(qChannels, func(st *sqlite3.Stmt) bool {
		c := &channel{id: st.ColumnInt64(0), name: st.ColumnText(1), openTotal: columnUint(st, 3), floorTotal: columnUint(st, 5)}
		c.head = Head{OpenFrom: columnUint(st, 2), Floor: columnUint(st, 4), Last: columnUint(st, 4), Total: c.floorTotal}
		w.channels[c.name] = c
		w.lastID = max(w.lastID, c.id)
		w.next = max(w.next, c.head.Floor+1)
		return true
	}); err != nil {
		return err
	}
	for _, c := range w.channels {
		if err := s.w.each(qFirstBatch, func(st *sqlite3.Stmt) bool {
			c.oldest, c.oldBefore = columnUint(st, 0), columnUint(st, 1)
			return false
		}, c.id, c.head.Floor); err != nil {
			return err
		}
		if err := s.w.each(qLastBatch, func(st *sqlite3.Stmt) bool {
			first, last := columnUint(st, 0), columnUint(st, 1)
			c.head.Last, c.head.Total = last, columnUint(st, 2)+last-first+1
			return false
		}, c.id, c.head.Floor); err != nil {
			return err
		}
	}
	return s.w.each(qMaxSeq, func(st *sqlite3.Stmt) bool {
		w.next = max(w.next, columnUint(st, 0)+1)
		return false
	})
}

func (s *Store) loadRuns() error {
	return s.w.each(qRuns, func(st *sqlite3.Stmt) bool {
		s.world.runs = append(s.world.runs, Run{ID: columnID(st, 0), First: columnUint(st, 1)})
		return true
	})
}

func columnTotals(st *sqlite3.Stmt, col int) Totals {
	return Totals{Handled: columnUint(st, col), Dead: columnUint(st, col+1), Expired: columnUint(st, col+2), Purged: columnUint(st, col+3),
		Overflow: columnUint(st, col+4), Pruned: columnUint(st, col+5), Corrupt: columnUint(st, col+6)}
}

func (s *Store) loadReaders() error {
	if err := s.w.each(qReaders, func(st *sqlite3.Stmt) bool {
		r := Reader{Store: columnID(st, 0), Channel: st.ColumnText(1), Join: columnUint(st, 2), Node: st.ColumnText(3),
			Start: columnUint(st, 4), Position: columnUint(st, 5), StartTotal: columnUint(st, 6), Done: columnUint(st, 7),
			EndTotal: columnUint(st, 8), Removed: columnUint(st, 9), Ended: st.ColumnBool(10), Totals: columnTotals(st, 11), Replaced: st.ColumnBool(18), Beyond: st.ColumnInt64(19), Proof: columnID(st, 20)}
		s.world.setReader(readerKey{r.Store, r.Channel, r.Join}, r)
		return true
	}); err != nil {
		return err
	}
	return s.w.each(qJoins, func(st *sqlite3.Stmt) bool {
		j := Join{Channel: st.ColumnText(0), Number: columnUint(st, 1), Role: uint8(st.ColumnInt64(2)) &^ replayed, Replay: st.ColumnInt64(2)&replayed != 0, Ended: st.ColumnBool(3)}
		s.world.joins[joinKey{j.Channel, j.Number}] = j
		return true
	})
}

func columnPosition(st *sqlite3.Stmt) positionKey {
	return positionKey{columnID(st, 0), st.ColumnText(1), columnUint(st, 2)}
}

func (s *Store) loadPositions() error {
	w := s.world
	if err := s.w.each(qPositions, func(st *sqlite3.Stmt) bool {
		k := columnPosition(st)
		w.positions[k] = Position{Sender: k.sender, Channel: k.channel, Join: k.join, Node: st.ColumnText(3),
			Run: columnID(st, 4), Seq: columnUint(st, 5), Totals: columnTotals(st, 6)}
		return true
	}); err != nil {
		return err
	}
	if err := s.w.each(qPositionRuns, func(st *sqlite3.Stmt) bool {
		k := columnPosition(st)
		p := w.positions[k]
		p.Older = append(p.Older, RunPosition{columnID(st, 3), columnUint(st, 4)})
		w.positions[k] = p
		return true
	}); err != nil {
		return err
	}
	return s.w.each(qAttempts, func(st *sqlite3.Stmt) bool {
		w.attempts[columnPosition(st)] = Attempt{Run: columnID(st, 3), Seq: columnUint(st, 4), Count: st.ColumnInt(5)}
		return true
	})
}

func (s *Store) loadSkips() error {
	return s.w.each(qSkipTops, func(st *sqlite3.Stmt) bool {
		if c := s.world.channels[st.ColumnText(0)]; c != nil {
			c.skipTop = columnUint(st, 1)
		}
		return true
	})
}
