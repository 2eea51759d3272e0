package store

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// conn is a connection with its prepared statements. Its user holds mu for as long as what it reads must stay as it is: the writer
// from BEGIN to COMMIT, for on a VFS without shared memory readers use the writer's connection.
type conn struct {
	mu    lock
	raw   *sqlite3.Conn
	stmts [queryCount]*sqlite3.Stmt
}

// lock is a mutex that is held while the disk works. It is a channel, for whoever waits for a channel lets a simulation's time pass, and
// without that a disk in it could not take any.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }

func newConn() *conn { return &conn{mu: make(lock, 1)} }

func (c *conn) prepare(q query) (*sqlite3.Stmt, error) {
	if st := c.stmts[q]; st != nil {
		return st, nil
	}
	st, _, err := c.raw.PrepareFlags(queries[q], sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", queries[q], err)
	}
	c.stmts[q] = st
	return st, nil
}

// exec runs a statement that returns no rows.
func (c *conn) exec(q query, args ...any) error {
	st, err := c.prepare(q)
	if err != nil {
		return err
	}
	if err := bind(st, args); err != nil {
		return err
	}
	return st.Exec()
}

// each runs a statement and calls row for each row it returns, until row returns false.
func (c *conn) each(q query, row func(*sqlite3.Stmt) bool, args ...any) error {
	st, err := c.prepare(q)
	if err != nil {
		return err
	}
	if err := bind(st, args); err != nil {
		return err
	}
	for st.Step() {
		more := row(st)
		if err := st.Err(); err != nil { // a column could not be read
			_ = st.Reset() // it repeats the error
			return err
		}
		if !more {
			break
		}
	}
	if err := st.Err(); err != nil {
		_ = st.Reset() // it repeats the error
		return err
	}
	return st.Reset()
}

func bind(st *sqlite3.Stmt, args []any) error {
	for i, a := range args {
		var err error
		switch v := a.(type) {
		case int64:
			err = st.BindInt64(i+1, v)
		case uint64:
			err = st.BindInt64(i+1, int64(v))
		case int:
			err = st.BindInt64(i+1, int64(v))
		case uint8:
			err = st.BindInt64(i+1, int64(v))
		case bool:
			err = st.BindBool(i+1, v)
		case string:
			err = st.BindText(i+1, v)
		case ID:
			err = st.BindBlob(i+1, v[:])
		case zeros:
			err = st.BindZeroBlob(i+1, int64(v))
		case []byte:
			err = bindBlob(st, i+1, v)
		default:
			err = fmt.Errorf("bind %T: %w", a, ErrInvalid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bindBlob binds nil as an empty blob: no column of ours is ever NULL.
func bindBlob(st *sqlite3.Stmt, i int, v []byte) error {
	if v == nil {
		return st.BindZeroBlob(i, 0)
	}
	return st.BindBlob(i, v)
}

func columnID(st *sqlite3.Stmt, col int) (id ID) {
	copy(id[:], st.ColumnRawBlob(col))
	return id
}

func columnUint(st *sqlite3.Stmt, col int) uint64 { return uint64(st.ColumnInt64(col)) }

// close finalizes the statements and closes the connection. A transaction under way is rolled back.
func (c *conn) close() error {
	if c.raw == nil {
		return nil
	}
	for _, st := range c.stmts {
		_ = st.Close() // it repeats the statement's last error
	}
	return c.raw.Close()
}
