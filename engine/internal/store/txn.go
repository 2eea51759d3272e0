package store

import (
	"errors"

	"github.com/ncruces/go-sqlite3"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
)

// work is a Tx in the writer's hands.
type work struct {
	tx       *Tx
	taken    bool
	segments []*Segment // of Segments and Take
	bytes    int
	prune    *pruning
	forget   *forgetting
}

// take fetches what belongs to the Tx and checks it.
func (w *work) take() error {
	if w.taken {
		return nil
	}
	w.taken = true
	for i := range w.tx.Segments {
		w.segments = append(w.segments, &w.tx.Segments[i])
	}
	if w.tx.Take != nil {
		more := w.tx.Take()
		for i := range more {
			w.segments = append(w.segments, &more[i])
		}
	}
	for _, s := range w.segments {
		w.bytes += len(s.Body)
	}
	return w.check()
}

// light tells whether the work only moves places and ends things: it needs next to no room.
func (w *work) light() bool {
	if len(w.segments) > 0 || len(w.tx.State) > 0 || len(w.tx.Rebury) > 0 {
		return false
	}
	for i := range w.tx.Progress {
		if len(w.tx.Progress[i].Dead) > 0 {
			return false
		}
	}
	return true
}

// txn is one SQLite transaction being applied.
type txn struct {
	s       *Store
	d       *delta
	pending []*Segment // not yet joined into batches
	bodies  [][]byte   // scratch
	// dropping is the first sequence of the batch that is being deleted; 0: none.
	dropping uint64
}

// commit applies the group as one transaction. On an error nothing of it is visible; the caller asks noRoom whether that is certain.
func (s *Store) commit(group []*work) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	t := &s.txn
	t.d.reset()
	t.dropping = 0
	clear(t.pending)
	t.pending = t.pending[:0]
	err := t.run(group)
	if err == nil {
		if t.d.ceiling != 0 {
			s.clock.ceiling = t.d.ceiling
		}
		return nil
	}
	if !s.w.raw.GetAutocommit() {
		if rollback := s.w.exec(qRollback); rollback != nil {
			// A transaction that stays open would be read and continued: the store cannot go on.
			return errors.Join(errUnknown, err, rollback)
		}
	}
	return err
}

// errUnknown marks an error after which the writer cannot go on, whatever its cause.
var errUnknown = errors.New("transaction not rolled back")

// noRoom tells whether an error means that nothing was written for want of room. A full disk that shows only in an fsync is not
// among them: what was written before it may be durable. A database that may not be written now is: it will be tried again.
func noRoom(err error) bool { return full(err) || readOnly(err) }

func full(err error) bool { return errors.Is(err, sqlite3.FULL) && !errors.Is(err, errUnknown) }

// errAtDisk marks a lack of room that is the disk's, not that of Options.MaxSize.
var errAtDisk = errors.New("at the disk")

func (t *txn) run(group []*work) error {
	if err := t.s.w.exec(qBegin); err != nil {
		return err
	}
	for _, w := range group {
		if err := t.apply(w); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	failpoint.Pass("store.mid-transaction")
	if err := t.write(); err != nil {
		return err
	}
	if err := t.makeRoom(); err != nil {
		return err
	}
	failpoint.Pass("store.before-commit")
	if err := t.s.w.exec(qCommit); err != nil {
		return errors.Join(errAtDisk, err)
	}
	failpoint.Pass("store.after-commit")
	return nil
}

// makeRoom sets room aside for the database as it is after this transaction.
func (t *txn) makeRoom() error {
	if err := t.s.measure(); err != nil {
		return err
	}
	if err := t.s.files.room.ensure(t.s.pages * pageSize); err != nil {
		return errors.Join(errAtDisk, err)
	}
	return nil
}

func (t *txn) apply(w *work) error {
	tx := w.tx
	for i := range tx.Readers {
		if err := t.changeReader(&tx.Readers[i]); err != nil {
			return err
		}
	}
	for _, j := range tx.Joins {
		t.d.joins[joinKey{j.Channel, j.Number}] = j
	}
	for i := range tx.Damaged {
		if err := t.quarantine(&tx.Damaged[i]); err != nil {
			return err
		}
	}
	for i := range tx.Skips {
		if err := t.skip(&tx.Skips[i]); err != nil {
			return err
		}
	}
	for _, name := range tx.Closed {
		if err := t.closeMark(name); err != nil {
			return err
		}
	}
	t.pending = append(t.pending, w.segments...)
	for i := range tx.Progress {
		if err := t.progress(&tx.Progress[i]); err != nil {
			return err
		}
	}
	for i := range tx.State {
		t.setState(&tx.State[i])
	}
	if err := t.unbury(tx); err != nil {
		return err
	}
	if err := t.record(tx.Audit); err != nil {
		return err
	}
	if w.forget != nil {
		return t.forget(w.forget)
	}
	if w.prune != nil {
		return t.prune(w.prune)
	}
	return nil
}

// closeMark ends a channel's open mark, but not for what comes after it in the group.
func (t *txn) closeMark(name string) error {
	if err := t.flush(); err != nil {
		return err
	}
	if c := t.d.touch(name); c != nil && c.head.OpenFrom != 0 {
		c.head.OpenFrom, c.openTotal, c.dirty = 0, 0, true
	}
	return nil
}

func (t *txn) setState(c *StateChange) {
	keys := t.d.state[c.Namespace]
	if keys == nil {
		keys = map[string][]byte{}
		t.d.state[c.Namespace] = keys
	}
	keys[string(c.Key)] = c.Value
}
