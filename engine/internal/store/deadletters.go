package store

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

func columnLetter(st *sqlite3.Stmt) DeadLetter {
	return DeadLetter{ID: st.ColumnInt64(0), Sender: columnID(st, 1), Node: st.ColumnText(2), Channel: st.ColumnText(3), Join: columnUint(st, 4),
		Run: columnID(st, 5), Seq: columnUint(st, 6), Reason: st.ColumnText(7), Attempts: st.ColumnInt(8), Wall: st.ColumnInt64(9), Size: st.ColumnInt(10)}
}

// DeadLetters lists the dead letters that a query chooses, oldest first, without their messages.
func (s *Store) DeadLetters(q DeadLetterQuery) ([]DeadLetter, error) {
	var letters []DeadLetter
	err := s.reading(func(db *conn) error {
		return db.each(qDeadLetters, func(st *sqlite3.Stmt) bool {
			letters = append(letters, columnLetter(st))
			return true
		}, q.After, q.Through, q.Channel, q.Node, q.Limit)
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, nil
}

// LastDeadLetter is the newest dead letter's id; 0: there is none.
func (s *Store) LastDeadLetter() (id int64, err error) {
	err = s.reading(func(db *conn) error {
		return db.each(qLastDeadLetter, func(st *sqlite3.Stmt) bool {
			id = st.ColumnInt64(0)
			return false
		})
	})
	if err != nil {
		return 0, fmt.Errorf("find the newest dead letter: %w", err)
	}
	return id, nil
}

// DeadLetter returns one with its message, and whether it is there.
func (s *Store) DeadLetter(id int64) (l DeadLetter, ok bool, err error) {
	err = s.reading(func(db *conn) error {
		return db.each(qDeadLetter, func(st *sqlite3.Stmt) bool {
			l, ok = columnLetter(st), true
			l.Message = st.ColumnBlob(11, nil)
			return false
		}, id)
	})
	if err != nil {
		return l, false, fmt.Errorf("read dead letter %d: %w", id, err)
	}
	return l, ok, nil
}

// unbury applies what a Tx does to dead letters that are there already. One that is gone is left out.
func (t *txn) unbury(tx *Tx) error {
	for _, id := range tx.Unbury {
		if err := t.s.w.exec(qDropDeadLetter, id); err != nil {
			return err
		}
	}
	for _, id := range tx.Revive {
		if err := t.revive(id); err != nil {
			return err
		}
	}
	for i := range tx.Rebury {
		l := &tx.Rebury[i]
		if err := t.s.w.exec(qRebury, l.Reason, l.Attempts, l.Wall, l.ID); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) revive(id int64) error {
	var k positionKey
	found := false
	if err := t.s.w.each(qBuried, func(st *sqlite3.Stmt) bool {
		k, found = columnPosition(st), true
		return false
	}, id); err != nil || !found {
		return err
	}
	if p, known := t.d.position(k); known && p.Totals.Dead > 0 {
		p.Totals.Dead--
		p.Totals.Handled++
		t.d.positions[k] = p
	}
	return t.s.w.exec(qDropDeadLetter, id)
}
