package store

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
)

// Close writes what is queued, marks the database as closed in order, and releases it. Must work for which there is no room gets
// ErrClosed. A store that has failed is only released. Submitting afterwards gives ErrClosed. Calling it again does nothing.
func (s *Store) Close() error {
	if !s.end() {
		return nil
	}
	var err error
	if s.Err() == nil {
		err = s.seal()
	}
	if err = errors.Join(err, s.disconnect(), s.files.release()); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Abort ends the store as a crash of the process would: it stops the writer and writes nothing more. What is queued gets ErrClosed.
// Calling it again, or after Close, does nothing.
func (s *Store) Abort() {
	s.abort.Store(true)
	if !s.end() {
		return
	}
	// As after a crash, the next Open finds out what the file holds.
	_ = s.disconnect()
	_ = s.files.release()
}

// end stops the writer and waits for it; it tells whether this call was the first.
func (s *Store) end() bool {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	<-s.done
	return first
}

// seal records a shutdown in order, and the engine time to the millisecond.
func (s *Store) seal() error {
	if err := s.mark(); err != nil {
		return err
	}
	failpoint.Pass("close.after-mark")
	// An empty log cannot bring back old pages, should it be damaged while the program is not running.
	return s.checkpointNow(sqlite3.CHECKPOINT_TRUNCATE)
}

func (s *Store) mark() error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.w.exec(qSetClean, true, s.clock.now())
}

func (s *Store) disconnect() error {
	var err error
	if s.r != nil && s.r != s.w {
		err = s.r.release()
	}
	return errors.Join(err, s.w.release())
}

func (c *conn) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.close()
	c.raw, c.stmts = nil, [queryCount]*sqlite3.Stmt{}
	return err
}
