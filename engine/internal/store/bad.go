package store

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// What is kept of batches that came damaged: the newest so many, and their bytes up to badBytes or the sixteenth part of MaxSize.
const (
	maxBad   = 64
	badBytes = 128 << 20
)

// BadBatch is a batch that came damaged, was skipped, and is kept for people.
type BadBatch struct {
	ID          int64 // given by the store
	Sender      ID
	Node        string // the sender's node id
	Channel     string
	Run         ID
	First, Last uint64
	Found       int64 // when it was given up, Unix milliseconds
	Cause       string
	Blob        []byte // as it came; shared, never to be written. nil in lists
	Size        int    // bytes of Blob that are kept: 0 when there was no room, or newer ones have taken it
}

// keepBad puts a batch on record. One that is there already is replaced: it came once more, from a copy of the sender's database.
func (t *txn) keepBad(b *BadBatch) error {
	blob, limit := b.Blob, t.s.badBytes()
	if t.s.thrifty || len(blob) > min(limit, maxBlob) {
		blob = nil
	}
	large := t.s.opt.SealHead != nil && len(blob) > t.s.opt.LargeBatch
	var value any = blob
	if large {
		value = zeros(len(blob))
	}
	var id int64
	if err := t.s.w.each(qNewBad, func(st *sqlite3.Stmt) bool {
		id = st.ColumnInt64(0)
		return true
	}, b.Sender, b.Node, b.Channel, b.Run, b.First, b.Last, b.Found, b.Cause, value); err != nil {
		return err
	}
	if large {
		if err := t.s.w.fillBlob("bad_batches", id, [][]byte{blob}); err != nil {
			return err
		}
	}
	if err := t.s.w.exec(qTrimBad, maxBad); err != nil {
		return err
	}
	return t.s.w.exec(qEmptyBad, limit)
}

// badBytes bounds what the bytes of damaged batches take of the database.
func (s *Store) badBytes() int {
	if s.opt.MaxSize > 0 {
		return int(min(badBytes, s.opt.MaxSize/16))
	}
	return badBytes
}

// BadBatches lists the batches that came damaged, in the order in which they were given up, without their bytes.
func (s *Store) BadBatches() (list []BadBatch, err error) {
	err = s.reading(func(db *conn) error {
		return db.each(qBad, func(st *sqlite3.Stmt) bool {
			list = append(list, BadBatch{ID: st.ColumnInt64(0), Sender: columnID(st, 1), Node: st.ColumnText(2), Channel: st.ColumnText(3), Run: columnID(st, 4),
				First: columnUint(st, 5), Last: columnUint(st, 6), Found: st.ColumnInt64(7), Cause: st.ColumnText(8), Size: st.ColumnInt(9)})
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list the batches that came damaged: %w", err)
	}
	return list, nil
}

// BadBlob returns the bytes of a batch that came damaged; nil: there is none with the id, or its bytes are not kept.
func (s *Store) BadBlob(id int64) (blob []byte, err error) {
	err = s.reading(func(db *conn) error {
		return db.each(qBadBlob, func(st *sqlite3.Stmt) bool {
			blob = st.ColumnBlob(0, nil)
			return false
		}, id)
	})
	if err != nil {
		return nil, fmt.Errorf("read the damaged batch %d: %w", id, err)
	}
	return blob, nil
}
