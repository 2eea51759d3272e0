package store

import (
	"bytes"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Get returns the value of a key, and whether it is set.
func (s *Store) Get(namespace string, key []byte) (value []byte, ok bool, err error) {
	err = s.reading(func(db *conn) error {
		return db.each(qGet, func(st *sqlite3.Stmt) bool {
			value, ok = append([]byte{}, st.ColumnRawBlob(0)...), true
			return false
		}, namespace, key)
	})
	if err != nil {
		return nil, false, fmt.Errorf("get state of %s: %w", namespace, err)
	}
	return value, ok, nil
}

// Next returns the first key of a namespace that lies after the given one in byte order; nil lies before all.
func (s *Store) Next(namespace string, after []byte) (pair Pair, ok bool, err error) {
	q := qNext
	if after == nil {
		q = qFirst
	}
	pairs, err := s.pairs(q, namespace, after, nil, 1)
	if err != nil || len(pairs) == 0 {
		return Pair{}, false, err
	}
	return pairs[0], true, nil
}

// List returns up to limit keys of a namespace that begin with prefix and, unless after is nil, lie after it, in byte order.
func (s *Store) List(namespace string, prefix, after []byte, limit int) ([]Pair, error) {
	if after != nil && bytes.Compare(after, prefix) >= 0 {
		return s.pairs(qNext, namespace, after, prefix, limit)
	}
	return s.pairs(qFirst, namespace, prefix, prefix, limit)
}

func (s *Store) pairs(q query, namespace string, from, prefix []byte, limit int) ([]Pair, error) {
	var pairs []Pair
	err := s.reading(func(db *conn) error {
		return db.each(q, func(st *sqlite3.Stmt) bool {
			key := st.ColumnRawBlob(0)
			if !bytes.HasPrefix(key, prefix) {
				return false
			}
			key = append([]byte{}, key...)
			pairs = append(pairs, Pair{Key: key, Value: append([]byte{}, st.ColumnRawBlob(1)...)})
			return true
		}, namespace, from, limit)
	})
	if err != nil {
		return nil, fmt.Errorf("list state of %s: %w", namespace, err)
	}
	return pairs, nil
}

// Usage tells how much room the store takes.
func (s *Store) Usage() (u Usage, err error) {
	err = s.reading(func(db *conn) error {
		for _, q := range []struct {
			sql string
			to  *int64
		}{{"PRAGMA page_count", &u.Bytes}, {"PRAGMA freelist_count", &u.Free}} {
			n, err := pragma(db.raw, q.sql)
			if err != nil {
				return err
			}
			*q.to = n * pageSize
		}
		return nil
	})
	u.Tail = s.tail.size()
	return u, err
}

// pragma returns the number that a pragma reads.
func pragma(c *sqlite3.Conn, sql string) (n int64, err error) {
	st, _, err := c.Prepare(sql)
	if err != nil {
		return 0, err
	}
	if st.Step() {
		n = st.ColumnInt64(0)
	}
	err = st.Err()
	if closed := st.Close(); err == nil {
		err = closed
	}
	return n, err
}
