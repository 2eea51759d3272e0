package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ncruces/go-sqlite3"
)

const schemaJournal = `
CREATE TABLE journal (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	channel TEXT NOT NULL,
	sender BLOB NOT NULL,
	node TEXT NOT NULL,
	run BLOB NOT NULL,
	first_seq INTEGER NOT NULL,
	ranges BLOB NOT NULL,
	stored INTEGER NOT NULL,
	wall INTEGER NOT NULL,
	blob BLOB NOT NULL,
	UNIQUE (channel, sender, run, first_seq)
);
CREATE INDEX journal_channel ON journal(channel, id);
`

// Received is a batch in the journal: as it came, and which of its messages are this node's.
type Received struct {
	ID     int64 // given by the store; grows in the order of receipt
	Sender ID
	Node   string // the sender's node id
	Run    ID
	First  uint64 // the batch's first sequence
	Ranges []Range
	Wall   int64  // when it was received, Unix milliseconds
	Blob   []byte // shared, never to be written
}

// Range is the sequences From to To, both included.
type Range struct{ From, To uint64 }

// keep puts a batch into the journal. If some of it is there already, what came now is added: no message is there twice.
func (t *txn) keep(channel string, r *Received) error {
	if t.s.thrifty || len(r.Blob) > maxBlob || len(r.Ranges) == 0 {
		return nil
	}
	var id int64
	var had []Range
	if err := t.s.w.each(qJournaled, func(st *sqlite3.Stmt) bool {
		id, had = st.ColumnInt64(0), parseRanges(st.ColumnRawBlob(1))
		return false
	}, channel, r.Sender, r.Run, r.First); err != nil {
		return err
	}
	if id != 0 {
		return t.s.w.exec(qAddJournal, appendRanges(nil, union(had, r.Ranges)), id)
	}
	t.d.journaled = true
	var blob any = r.Blob
	large := t.s.opt.SealHead != nil && len(r.Blob) > t.s.opt.LargeBatch
	if large {
		blob = zeros(len(r.Blob))
	}
	if err := t.s.w.exec(qNewJournal, channel, r.Sender, r.Node, r.Run, r.First, appendRanges(nil, r.Ranges), t.s.clock.now(), r.Wall, blob); err != nil || !large {
		return err
	}
	return t.s.w.fillBlob("journal", t.s.w.raw.LastInsertRowID(), [][]byte{r.Blob})
}

// union merges two ascending lists of ranges without overlap.
func union(a, b []Range) []Range {
	out := make([]Range, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		if len(a) == 0 || len(b) > 0 && b[0].From < a[0].From {
			a, b = b, a
		}
		r := a[0]
		a = a[1:]
		if n := len(out); n > 0 && r.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, r.To)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// appendRanges encodes ranges: for each the distance from the end of the one before (the first: from 0) to its beginning, and its length less one.
func appendRanges(b []byte, list []Range) []byte {
	end := uint64(0)
	for _, r := range list {
		b = binary.AppendUvarint(b, r.From-end)
		b = binary.AppendUvarint(b, r.To-r.From)
		end = r.To
	}
	return b
}

// parseRanges reads what appendRanges wrote, up to what cannot be.
func parseRanges(b []byte) (list []Range) {
	end := uint64(0)
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			return list
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 || gap > math.MaxInt64-end || length > math.MaxInt64-end-gap {
			return list
		}
		list = append(list, Range{end + gap, end + gap + length})
		end += gap + length
		b = b[n+m:]
	}
	return list
}

func count(list []Range) (n uint64) {
	for _, r := range list {
		n += r.To - r.From + 1
	}
	return n
}

// Journal lists batches that were received on a channel, with ids from the one given on, in the order of receipt, about maxBytes of them but at least
// one; none: there are no more.
func (s *Store) Journal(channel string, from int64, maxBytes int) ([]Received, error) {
	var list []Received
	err := s.reading(func(db *conn) error {
		return db.each(qJournal, func(st *sqlite3.Stmt) bool {
			r := Received{ID: st.ColumnInt64(0), Sender: columnID(st, 1), Node: st.ColumnText(2), Run: columnID(st, 3), First: columnUint(st, 4),
				Ranges: parseRanges(st.ColumnRawBlob(5)), Wall: st.ColumnInt64(6), Blob: st.ColumnBlob(7, nil)}
			list = append(list, r)
			maxBytes -= len(r.Blob)
			return maxBytes > 0
		}, channel, from)
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal of channel %s: %w", channel, err)
	}
	return list, nil
}

// JournalLast finds where the newest messages of a channel's journal begin: the id of a batch, and how many messages there are from its beginning on that
// are older than the newest n.
func (s *Store) JournalLast(channel string, n uint64) (from int64, older uint64, err error) {
	have := uint64(0)
	err = s.reading(func(db *conn) error {
		return db.each(qJournalBack, func(st *sqlite3.Stmt) bool {
			from = st.ColumnInt64(0)
			have += count(parseRanges(st.ColumnRawBlob(1)))
			return have < n
		}, channel)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read the journal of channel %s: %w", channel, err)
	}
	return from, have - min(n, have), nil
}

// JournalSince is the id of the first batch that was received at or after a time, Unix milliseconds; 0: there is none.
func (s *Store) JournalSince(channel string, wall int64) (int64, error) {
	return s.journalID(qJournalSince, channel, channel, wall)
}

// JournalAt is the id of the batch that holds a message, 0: it is not there.
func (s *Store) JournalAt(channel string, sender, run ID, seq uint64) (int64, error) {
	return s.journalID(qJournalAt, channel, channel, sender, run, seq)
}

func (s *Store) journalID(q query, channel string, args ...any) (id int64, err error) {
	err = s.reading(func(db *conn) error {
		return db.each(q, func(st *sqlite3.Stmt) bool {
			id = st.ColumnInt64(0)
			return false
		}, args...)
	})
	if err != nil {
		return 0, fmt.Errorf("search the journal of channel %s: %w", channel, err)
	}
	return id, nil
}

// Journaled lists the channels that have a journal.
func (s *Store) Journaled() (channels []string, err error) {
	err = s.reading(func(db *conn) error {
		return db.each(qJournals, func(st *sqlite3.Stmt) bool {
			channels = append(channels, st.ColumnText(0))
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list the journals: %w", err)
	}
	return channels, nil
}

// forgetting deletes what a channel's journal has from a time or before.
type forgetting struct {
	channel string
	older   int64 // engine time
	left    int
	deleted int
}

// ForgetJournal deletes the batches of a channel's journal that were received at or before an engine time, in small transactions.
func (s *Store) ForgetJournal(channel string, olderThan int64) error {
	for {
		f := &forgetting{channel: channel, older: olderThan, left: pruneChunk}
		if err := s.do(&work{tx: &Tx{}, forget: f}); err != nil || f.deleted < pruneChunk {
			return err
		}
	}
}

func (t *txn) forget(f *forgetting) error {
	f.deleted = 0
	var ids []int64
	if err := t.s.w.each(qOldJournal, func(st *sqlite3.Stmt) bool {
		ids = append(ids, st.ColumnInt64(0))
		return true
	}, f.channel, f.older, f.left); err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.s.w.exec(qDropJournal, id); err != nil {
			return err
		}
	}
	f.deleted = len(ids)
	return nil
}

// pruneJournal makes room: the journal, which only shows what came, goes before what was sent, which heals readers.
func (t *txn) pruneJournal(p *pruning) error {
	var ids []int64
	var freed int64
	if err := t.s.w.each(qOldestJournal, func(st *sqlite3.Stmt) bool {
		ids = append(ids, st.ColumnInt64(0))
		freed += st.ColumnInt64(1)
		return p.freed+freed < p.bytes
	}, p.left); err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.s.w.exec(qDropJournal, id); err != nil {
			return err
		}
	}
	p.deleted += len(ids)
	p.freed += freed
	return nil
}
