package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"
)

// reading lends the connection for reading. What is read is committed.
func (s *Store) reading(f func(*conn) error) error {
	if err := s.Err(); err != nil {
		return err
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.r.raw == nil {
		return ErrClosed
	}
	return classify(f(s.r))
}

// classify adds ErrCorrupt to what SQLite says of a damaged file.
func classify(err error) error {
	if errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.IOERR_DATA) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// Read returns batches of the channel with Last > after, in order, as many as fit into maxBytes but at least one if there is any.
// The first may begin at or before after. A batch that is damaged at rest ends the list, or, when it would be the first, is
// reported as a *CorruptError.
func (s *Store) Read(channel string, after uint64, maxBytes int) ([]Batch, error) {
	if batches, ok := s.tail.read(channel, after, maxBytes); ok {
		return batches, nil
	}
	s.world.mu.RLock()
	c := s.world.channels[channel]
	s.world.mu.RUnlock()
	if c == nil || after >= c.head.Last {
		return nil, nil
	}
	var batches []Batch
	err := s.reading(func(db *conn) (err error) {
		batches, err = s.readLog(db, c, after, maxBytes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read channel %s after %d: %w", channel, after, err)
	}
	return batches, nil
}

func (s *Store) readLog(db *conn, c *channel, after uint64, maxBytes int) ([]Batch, error) {
	var batches []Batch
	size := 0
	var damage error
	err := db.each(qRead, func(st *sqlite3.Stmt) bool {
		blob := st.ColumnRawBlob(8)
		if len(batches) > 0 && size+len(blob) > maxBytes {
			return false
		}
		b := columnBatch(st, c.name)
		if b.Size = st.ColumnInt(7); b.Size > s.inMemory() {
			batches = append(batches, b)
			return true
		}
		b.Blob = bytes.Clone(blob)
		if damage = s.opt.Check(b.Blob); damage != nil {
			damage = corrupt(b, damage)
			return false
		}
		batches = append(batches, b)
		size += len(b.Blob)
		return true
	}, c.id, after, s.inMemory())
	switch {
	case len(batches) > 0:
		return batches, nil // what is wrong shows again when it comes first
	case damage != nil:
		return nil, damage
	case err != nil:
		return nil, s.locate(db, c, after, err)
	}
	return nil, nil
}

// locate names the batch whose pages are damaged, if its head can be read.
func (s *Store) locate(db *conn, c *channel, after uint64, cause error) error {
	if !errors.Is(classify(cause), ErrCorrupt) {
		return cause
	}
	b, ok, err := headOf(db, qHeadAt, c, after)
	if err == nil && (!ok || b.Last <= after) {
		b, ok, err = headOf(db, qHeadAfter, c, after)
	}
	if err != nil || !ok {
		return cause
	}
	return corrupt(b, cause)
}

func corrupt(b Batch, cause error) error {
	b.Blob, b.Size = nil, 0
	return &CorruptError{Batch: b, Cause: cause}
}

func columnBatch(st *sqlite3.Stmt, channel string) Batch {
	return Batch{Channel: channel, First: columnUint(st, 0), Last: columnUint(st, 1), Run: columnID(st, 2),
		Prev: columnUint(st, 3), Before: columnUint(st, 4), Earliest: st.ColumnInt64(5), Latest: st.ColumnInt64(6)}
}

// headOf returns the channel's last batch that begins at or before seq, or the first behind it, without its blob.
func headOf(db *conn, q query, c *channel, seq uint64) (b Batch, ok bool, err error) {
	err = db.each(q, func(st *sqlite3.Stmt) bool {
		b, ok = columnBatch(st, c.name), true
		return false
	}, c.id, seq)
	return b, ok, err
}

// Upto returns how many messages of the channel have a sequence of at most seq, ever. Below the channel's floor it returns
// the count at the floor.
func (s *Store) Upto(channel string, seq uint64) (uint64, error) {
	s.world.mu.RLock()
	c := s.world.channels[channel]
	s.world.mu.RUnlock()
	if c == nil || seq == 0 {
		return 0, nil
	}
	if n, ok := s.uptoTail(c, seq); ok {
		return n, nil
	}
	var n uint64
	err := s.reading(func(db *conn) (err error) {
		n, err = s.upto(db, c, seq)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count channel %s up to %d: %w", channel, seq, err)
	}
	return n, nil
}

func (s *Store) uptoTail(c *channel, seq uint64) (uint64, bool) {
	switch {
	case seq >= c.head.Last:
		return c.head.Total, true
	case seq <= c.head.Floor:
		return c.floorTotal, true
	}
	b, ok := s.tail.at(c.name, seq)
	return b.upto(seq), ok
}

// upto counts with the given connection, whose lock the caller holds.
func (s *Store) upto(db *conn, c *channel, seq uint64) (uint64, error) {
	if n, ok := s.uptoTail(c, seq); ok {
		return n, nil
	}
	b, ok, err := headOf(db, qHeadAt, c, seq)
	if err != nil || !ok || b.Last <= c.head.Floor { // what is quarantined may lie below the floor
		return c.floorTotal, err
	}
	return b.upto(seq), nil
}

// upto counts the channel's messages up to seq, which is not before the batch.
func (b *Batch) upto(seq uint64) uint64 {
	return b.Before + min(seq, b.Last) - b.First + 1
}

// Find returns the batch that holds a sequence, of whichever channel, and whether the log has it.
func (s *Store) Find(seq uint64) (b Batch, ok bool, err error) {
	if seq == 0 || seq > 1<<62 {
		return Batch{}, false, nil
	}
	err = s.reading(func(db *conn) error {
		err := db.each(qFindHead, func(st *sqlite3.Stmt) bool {
			b = columnBatch(st, st.ColumnText(7))
			ok = b.Last >= seq
			return false
		}, seq)
		if err != nil || !ok {
			return err
		}
		err = db.each(qBlob, func(st *sqlite3.Stmt) bool {
			b.Blob = st.ColumnBlob(0, nil)
			b.Size = len(b.Blob)
			return false
		}, b.First)
		if err == nil {
			err = s.opt.Check(b.Blob)
		}
		if err != nil {
			return corrupt(b, err)
		}
		return nil
	})
	if err != nil || !ok {
		return Batch{}, false, wrapFind(seq, err)
	}
	return b, true, nil
}

func wrapFind(seq uint64, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("find sequence %d: %w", seq, err)
}

// Expired lists, without their blobs, batches of which every message expires, the last at an engine time above after and up to
// now; in the order of that time.
func (s *Store) Expired(after, now int64, limit int) ([]Batch, error) {
	var batches []Batch
	err := s.reading(func(db *conn) error {
		return db.each(qExpired, func(st *sqlite3.Stmt) bool {
			batches = append(batches, columnBatch(st, st.ColumnText(7)))
			return true
		}, after, now, limit)
	})
	if err != nil {
		return nil, fmt.Errorf("list expired batches: %w", err)
	}
	return batches, nil
}

// Skips lists the ranges of a channel that touch from to to and hold for the reader's join or for all, in order of From.
func (s *Store) Skips(channel string, reader ID, join, from, to uint64) ([]SkipRange, error) {
	s.world.mu.RLock()
	c := s.world.channels[channel]
	s.world.mu.RUnlock()
	if c == nil || from > c.skipTop {
		return nil, nil
	}
	to = min(to, 1<<62)
	var skips []SkipRange
	err := s.reading(func(db *conn) error {
		for _, r := range []SkipRange{{Store: reader, Join: join}, {}} {
			if err := db.each(qSkips, func(st *sqlite3.Stmt) bool {
				skips = append(skips, SkipRange{Store: r.Store, Channel: channel, Join: r.Join,
					From: columnUint(st, 0), To: columnUint(st, 1), Reason: uint8(st.ColumnInt64(2))})
				return true
			}, channel, r.Store, r.Join, to, from); err != nil {
				return err
			}
			if reader == (ID{}) {
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read skips of channel %s: %w", channel, err)
	}
	slices.SortFunc(skips, func(a, b SkipRange) int {
		if a.From < b.From {
			return -1
		}
		return 1
	})
	return skips, nil
}

// skipBefore returns the range of the same reader that begins last at or before r.
func (t *txn) skipBefore(r *SkipRange) (before SkipRange, found bool, err error) {
	err = t.s.w.each(qSkipBefore, func(st *sqlite3.Stmt) bool {
		before = SkipRange{From: columnUint(st, 0), To: columnUint(st, 1), Reason: uint8(st.ColumnInt64(2))}
		found = true
		return false
	}, r.Channel, r.Store, r.Join, r.From)
	return before, found, err
}
