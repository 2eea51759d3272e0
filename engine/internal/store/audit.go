package store

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// AuditSize is how many entries the audit record keeps: the newest.
const AuditSize = 1000

// Order names an order for ever: the store and run of the node that gave it, and a number within the run.
type Order struct {
	Store, Run ID
	Number     uint64
}

// AuditEntry is what was ordered and what came of it. Writing an entry of an order that is on record replaces its outcome.
type AuditEntry struct {
	ID      int64 // given by the store
	Order   Order
	Node    string // who gave the order
	Wall    int64  // when it was put on record, Unix milliseconds
	Action  string // for people
	Outcome string // for people
	Failed  bool   // at least one node has not obeyed
	Over    bool   // the outcome is final
}

const schemaAudit = `
CREATE TABLE audit (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	store BLOB NOT NULL,
	run BLOB NOT NULL,
	number INTEGER NOT NULL,
	node TEXT NOT NULL,
	wall INTEGER NOT NULL,
	action TEXT NOT NULL,
	outcome TEXT NOT NULL,
	failed INTEGER NOT NULL,
	over INTEGER NOT NULL,
	UNIQUE (store, run, number)
);
`

// record writes audit entries, and drops those beyond the newest AuditSize.
func (t *txn) record(entries []AuditEntry) error {
	for i := range entries {
		e := &entries[i]
		if err := t.s.w.exec(qSetAudit, e.Order.Store, e.Order.Run, e.Order.Number, e.Node, e.Wall, e.Action, e.Outcome, e.Failed, e.Over); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return t.s.w.exec(qTrimAudit, AuditSize)
}

// Audit lists the audit record, newest first.
func (s *Store) Audit() ([]AuditEntry, error) {
	var entries []AuditEntry
	err := s.reading(func(db *conn) error {
		return db.each(qAudit, func(st *sqlite3.Stmt) bool {
			entries = append(entries, AuditEntry{ID: st.ColumnInt64(0), Order: Order{columnID(st, 1), columnID(st, 2), columnUint(st, 3)}, Node: st.ColumnText(4),
				Wall: st.ColumnInt64(5), Action: st.ColumnText(6), Outcome: st.ColumnText(7), Failed: st.ColumnBool(8), Over: st.ColumnBool(9)})
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list the audit record: %w", err)
	}
	return entries, nil
}
