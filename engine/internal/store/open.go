package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
)

// Open opens the database, and creates it, and its folder, if there is none. When it returns, what it created survives a power cut.
// On an error nothing that it created is left. The errors to act on are ErrInUse, ErrNewer, ErrNodeID, ErrNotDatabase,
// ErrNotWritable, ErrRenamed and ErrCorrupt.
func Open(o Options) (*Store, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	s := construct(o)
	if err := s.open(); err != nil {
		s.discard(err)
		return nil, fmt.Errorf("open store %s: %w", o.Path, err)
	}
	go s.write()
	return s, nil
}

func construct(o Options) *Store {
	s := &Store{opt: o, world: newWorld(), tail: newTail(o.TailBytes), files: newFiles(&o), w: newConn(),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), failed: make(chan struct{})}
	s.txn = txn{s: s, d: newDelta(s.world)}
	s.clock.elapsed = o.Elapsed
	s.retry.reset()
	return s
}

// discard undoes what a failed Open has done.
func (s *Store) discard(cause error) {
	_ = s.disconnect() // the cause says more
	if !errors.Is(cause, ErrInUse) {
		s.files.remove()
	}
	_ = s.files.release()
}

func (s *Store) open() error {
	if err := s.files.prepare(!s.opt.NoLock); err != nil {
		return err
	}
	if err := s.files.refuseRenamed(); err != nil {
		return err
	}
	if err := s.connect(); err != nil {
		return reason(err, s.files.path)
	}
	version, err := s.identify()
	if err != nil {
		return reason(err, s.files.path)
	}
	if err := s.configure(version == 0); err != nil {
		return reason(err, s.files.path)
	}
	failpoint.Pass("open.after-configure")
	if err := s.migrate(version); err != nil {
		return reason(err, s.files.path)
	}
	failpoint.Pass("open.after-migrate")
	if _, _, err := s.w.raw.WALCheckpoint("", sqlite3.CHECKPOINT_PASSIVE); err != nil && !full(err) {
		return reason(err, s.files.path)
	}
	if err := s.files.sync(); err != nil {
		return err
	}
	failpoint.Pass("open.after-checkpoint")
	if err := s.files.room.open(s.files); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return reason(err, s.files.path)
	}
	failpoint.Pass("open.after-load")
	if err := s.begin(); err != nil {
		return reason(err, s.files.path)
	}
	failpoint.Pass("open.after-begin")
	return reason(s.connectReader(), s.files.path)
}

// reason says in this package's words why SQLite refused.
func reason(err error, path string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("%w: %w", ErrNotDatabase, err)
	case errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.PERM), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("folder %s: %w: %w", filepath.Dir(path), ErrNotWritable, err)
	case errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("%w: %w", ErrInUse, err)
	case full(err):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return classify(err)
}

// shared tells whether two connections can have the database open: they need shared memory.
func (s *Store) shared() bool { return s.opt.VFS == "" && vfs.SupportsSharedMemory }

func (s *Store) dial(flags sqlite3.OpenFlag) (*sqlite3.Conn, error) {
	name := s.opt.VFS
	if name == "" {
		registerDisk()
		name = diskVFS
	}
	path := (&url.URL{Path: s.files.path}).EscapedPath()
	return sqlite3.OpenFlags("file:"+path+"?vfs="+url.QueryEscape(name), flags|sqlite3.OPEN_URI)
}

// connect opens the writer's connection. It reads nothing yet.
func (s *Store) connect() (err error) {
	if s.w.raw, err = s.dial(sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE); err != nil {
		return err
	}
	c := s.w.raw
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return err
	}
	if !s.shared() {
		return c.Exec("PRAGMA locking_mode=EXCLUSIVE")
	}
	return c.BusyTimeout(10 * time.Second)
}

// identify makes sure that the file is this node's, before anything is written to it. It returns the schema's version; 0: it is new.
func (s *Store) identify() (version int, err error) {
	var app, v, tables int64
	for _, q := range []struct {
		sql string
		to  *int64
	}{{"PRAGMA application_id", &app}, {"PRAGMA user_version", &v}, {queries[qTables], &tables}} {
		if *q.to, err = pragma(s.w.raw, q.sql); err != nil {
			return 0, err
		}
	}
	switch {
	case app == 0 && v == 0 && tables == 0:
		if s.opt.NodeID == "" {
			return 0, fmt.Errorf("%w: a new database needs one", ErrNodeID)
		}
		return 0, nil
	case app != applicationID || v < 1:
		return 0, ErrNotDatabase
	case v > int64(len(migrations)):
		return 0, fmt.Errorf("%w: its schema is version %d, this program knows %d", ErrNewer, v, len(migrations))
	}
	if err := s.loadMeta(); err != nil {
		return 0, err
	}
	return int(v), nil
}

// configure sets up the writer's connection, and the file's format when it is new.
func (s *Store) configure(fresh bool) error {
	c := s.w.raw
	if fresh {
		if err := c.Exec(fmt.Sprintf("PRAGMA page_size=%d", pageSize)); err != nil {
			return err
		}
		// Eight bytes at the end of each page turn page checksums on.
		if _, err := c.FileControl("", sqlite3.FCNTL_RESERVE_BYTES, 8); err != nil {
			return err
		}
	}
	if err := c.Exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=" + s.opt.Sync + "; PRAGMA wal_autocheckpoint=0;" +
		"PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY"); err != nil {
		return err
	}
	if _, err := c.FileControl("", sqlite3.FCNTL_PERSIST_WAL, true); err != nil {
		return err
	}
	c.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		s.walPages = pages
		return nil
	})
	return s.limitPages(0)
}

// begin marks the database as open. A node whose disk is full has to start, to deliver what it holds: then the first commit that has
// room brings the mark along, with the clock.
func (s *Store) begin() error {
	if s.files.reserve > 0 {
		s.files.restoreReserve(s.opt.Elapsed())
	}
	err := s.w.exec(qSetClean, false, s.clock.base)
	if err != nil && full(err) {
		return nil
	}
	return err
}

// connectReader opens the second connection, or lends the first where there can be only one.
func (s *Store) connectReader() (err error) {
	if !s.shared() {
		s.r = s.w
		return nil
	}
	s.r = newConn()
	if s.r.raw, err = s.dial(sqlite3.OPEN_READONLY); err != nil {
		return err
	}
	if err := s.r.raw.BusyTimeout(10 * time.Second); err != nil {
		return err
	}
	return s.r.raw.Exec("PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY")
}
