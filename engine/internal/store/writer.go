package store

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
)

const (
	groupBytes = 8 << 20 // a transaction takes no further Tx past this many bytes of segments

	// maxBlob bounds a batch, a value and a dead letter: SQLite's memory is 256 MiB, or 32 MiB on a 32-bit machine, and it holds
	// what it writes twice.
	maxBlob = (80 << 20) >> (3 * (1 - bits.UintSize/64))

	walPagesLow  = 4000            // a checkpoint is due: 64 MiB
	walPagesHigh = 4 * walPagesLow // readers have kept the log from starting over for too long
)

// write is the writer goroutine.
func (s *Store) write() {
	defer close(s.done)
	timer := time.NewTimer(retryLast)
	timer.Stop()
	defer timer.Stop()
	s.review()
	for {
		ending := false
		switch {
		case len(s.kept) > 0:
			timer.Reset(s.retry.delay)
		case s.ill.now.Load() != nil && s.Err() == nil:
			timer.Reset(retryLast)
		}
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.stop:
			ending = true
		}
		for s.step() {
		}
		if ending {
			s.drop()
			return
		}
	}
}

// step runs one group; it tells whether there may be more.
func (s *Store) step() bool {
	if s.abort.Load() {
		return false
	}
	group, more := s.gather()
	if s.Err() != nil {
		finish(group, s.cause)
		return more
	}
	if len(group) > 0 {
		s.process(group)
	}
	s.review()
	return more
}

// gather takes what is queued, behind what was kept, and answers what cannot be stored.
func (s *Store) gather() (group []*work, more bool) {
	group, s.kept = s.kept, nil
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	size := 0
	for i, w := range queue {
		if err := w.take(); err != nil {
			w.finish(err)
			continue
		}
		group = append(group, w)
		if size += w.bytes; size > groupBytes && i+1 < len(queue) {
			s.mu.Lock()
			s.queue = append(queue[i+1:], s.queue...)
			s.mu.Unlock()
			return group, true
		}
	}
	return group, false
}

// process brings the group to its outcome, or keeps parts of it.
func (s *Store) process(group []*work) {
	if !s.files.reserveHeld() && !s.files.restoreReserve(s.opt.Elapsed()) {
		s.crowded(group)
		return
	}
	start := s.opt.Elapsed()
	switch err := s.commit(group); {
	case err == nil:
		if s.opt.OnCommit != nil {
			s.opt.OnCommit(s.opt.Elapsed()-start, s.txn.d.batches)
		}
		s.publish(group)
	case noRoom(err):
		s.ill.cause = err
		s.crowded(group)
	case damaged(err) && prunes(group):
		rest, err := s.setAside(err, group)
		if err != nil {
			s.fail(err, rest)
		} else if len(rest) > 0 {
			s.process(rest)
		}
	default:
		s.fail(err, group)
	}
}

// publish makes a commit visible and answers those who wait for it.
func (s *Store) publish(group []*work) {
	s.retry.reset()
	s.barren = s.barren && !s.txn.d.fertile() // of the rows that this transaction changed, which settling forgets
	s.settle()
	if d := s.txn.d; len(d.batches) > 0 && s.opt.OnAppend != nil {
		s.opt.OnAppend(d.batches)
	}
	s.noteFull()
	finish(group, nil)
	failpoint.Pass("store.after-answer")
	s.keepMargin()
	if err := s.checkpoint(); err != nil {
		s.fail(err, nil)
	}
}

// settle makes a commit part of what is held in memory.
func (s *Store) settle() {
	d := s.txn.d
	s.world.merge(d, s.run)
	if d.run {
		failpoint.Pass("store.after-first-batch")
	}
	s.runStored = s.runStored || d.run
	s.tail.add(d.batches)
	for _, b := range d.dropped {
		s.tail.prune(b.Channel, b.Last)
	}
}

func finish(group []*work, err error) {
	for _, w := range group {
		w.finish(err)
	}
}

// fail ends the store's life as a writer. What is in the group has an unknown outcome.
func (s *Store) fail(err error, group []*work) {
	s.cause = fmt.Errorf("%w: %w", ErrFailed, err)
	close(s.failed)
	s.note(Broken)
	finish(group, s.cause)
	finish(s.kept, s.cause)
	s.kept = nil
}

// drop answers what is left when the writer ends.
func (s *Store) drop() {
	err := ErrClosed
	if s.Err() != nil {
		err = s.cause
	}
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	finish(s.kept, err)
	finish(queue, err)
	s.kept = nil
}

// checkpoint moves the write-ahead log into the database when it has grown. It runs behind the answers, so that nobody waits for it.
func (s *Store) checkpoint() error {
	if s.walPages < s.files.walPages {
		return nil
	}
	if s.walPages >= s.files.walPages*(walPagesHigh/walPagesLow) && s.r != s.w {
		s.r.mu.Lock()
		defer s.r.mu.Unlock()
	}
	return s.checkpointNow(sqlite3.CHECKPOINT_PASSIVE)
}

// checkpointNow returns only errors after which the store must not go on: when the disk is full, or a reader is in the way, the log
// just stays as it is.
func (s *Store) checkpointNow(mode sqlite3.CheckpointMode) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	failpoint.Pass("store.before-checkpoint")
	_, _, err := s.w.raw.WALCheckpoint("", mode)
	failpoint.Pass("store.after-checkpoint")
	if err == nil || noRoom(err) || errors.Is(err, sqlite3.BUSY) {
		return nil
	}
	return fmt.Errorf("checkpoint: %w", err)
}

// check refuses what would make SQLite fail.
func (w *work) check() error {
	for _, s := range w.segments {
		if s.Channel == "" || s.Count < 1 || len(s.Body) > maxBlob {
			return fmt.Errorf("%w: segment of channel %q with %d messages and %d bytes", ErrInvalid, s.Channel, s.Count, len(s.Body))
		}
	}
	for i := range w.tx.State {
		c := &w.tx.State[i]
		if len(c.Key)+len(c.Value) > maxBlob {
			return fmt.Errorf("%w: %d bytes of state in %s", ErrInvalid, len(c.Key)+len(c.Value), c.Namespace)
		}
	}
	for i := range w.tx.Progress {
		for j := range w.tx.Progress[i].Dead {
			if n := len(w.tx.Progress[i].Dead[j].Message); n > maxBlob {
				return fmt.Errorf("%w: dead letter of %d bytes", ErrInvalid, n)
			}
		}
	}
	for i := range w.tx.Skips {
		if r := &w.tx.Skips[i]; r.Channel == "" || r.From < 1 || r.From > r.To {
			return fmt.Errorf("%w: skip of %d to %d on channel %q", ErrInvalid, r.From, r.To, r.Channel)
		}
	}
	return nil
}
