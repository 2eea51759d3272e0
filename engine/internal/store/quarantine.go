package store

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Quarantined is a batch of this log that cannot be read back as it was written.
type Quarantined struct {
	Channel string // empty: that cannot be read either
	First   uint64
	Last    uint64 // 0: that cannot be read either
	Found   int64  // Unix milliseconds
	Cause   string
}

// Quarantine lists the damaged batches of this log, by sequence.
func (s *Store) Quarantine() (list []Quarantined, err error) {
	err = s.reading(func(db *conn) error {
		if err := db.each(qQuarantined, func(st *sqlite3.Stmt) bool {
			list = append(list, Quarantined{First: columnUint(st, 0), Found: st.ColumnInt64(1), Cause: st.ColumnText(2)})
			return true
		}); err != nil {
			return err
		}
		for i := range list {
			if err := s.identifyDamaged(db, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the damaged batches: %w", err)
	}
	return list, nil
}

// identifyDamaged finds out what can be known of a batch whose page may be unreadable.
func (s *Store) identifyDamaged(db *conn, q *Quarantined) error {
	err := db.each(qEndOf, func(st *sqlite3.Stmt) bool {
		q.Last = columnUint(st, 0)
		return false
	}, q.First)
	if err != nil && !damaged(err) {
		return err
	}
	for name, id := range s.channelIDs() {
		err := db.each(qChannelHas, func(*sqlite3.Stmt) bool {
			q.Channel = name
			return false
		}, id, q.First)
		if err != nil && !damaged(err) {
			return err
		}
	}
	return nil
}

func (s *Store) channelIDs() map[string]int64 {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	ids := make(map[string]int64, len(s.world.channels))
	for name, c := range s.world.channels {
		ids[name] = c.id
	}
	return ids
}

// quarantine records a batch as damaged: it stays in the database, whoever is past it, for somebody to look at.
func (t *txn) quarantine(d *Damage) error {
	return t.s.w.exec(qQuarantine, d.First, t.s.opt.Wall().UnixMilli(), d.Cause)
}

// damaged tells whether an error, which came before the commit, says that what was read is damaged.
func damaged(err error) bool {
	return errors.Is(classify(err), ErrCorrupt) && !errors.Is(err, errUnknown)
}

// setAside deals with a group in which pruning came upon damage; nothing of it was written. The batch is put into quarantine and the group
// can be tried again. If the damage is no batch's own, pruning ends with the error and the others are left. It returns what to try again.
func (s *Store) setAside(cause error, group []*work) ([]*work, error) {
	if first := s.txn.dropping; first != 0 {
		d := Damage{First: first, Cause: cause.Error()}
		if err := s.commit([]*work{{tx: &Tx{Damaged: []Damage{d}}}}); err != nil {
			return group, err
		}
		s.settle()
		s.opt.OnDamage(d)
		return group, nil
	}
	pruning, rest := split(group, func(w *work) bool { return w.prune != nil })
	for _, w := range pruning {
		w.finish(classify(cause))
	}
	if len(pruning) == 0 {
		return rest, cause
	}
	return rest, nil
}

func prunes(group []*work) bool {
	for _, w := range group {
		if w.prune != nil {
			return true
		}
	}
	return false
}
