package store

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Store is an open database. All its methods are safe for concurrent use; Close and Abort must not be called from a callback.
type Store struct {
	opt    Options
	id     ID
	run    ID
	clean  bool
	secret ID // never leaves the database
	clock  clock
	world  *world
	tail   *tail
	files  *files
	w      *conn // the writer's
	r      *conn // for reading; the writer's where there is no shared memory

	// The writer goroutine's own.
	txn       txn
	kept      []*work // Must work that waits for room, in order
	thrifty   bool    // the writer has no room for the journal
	runStored bool
	walPages  int // of the write-ahead log, after the last commit
	retry     retry
	pages     int64 // of the file, after the last commit
	free      int64 // of them
	clearing  bool  // pruning for the margin is queued
	barren    bool  // there was nothing left to prune, and nothing has changed that since
	short     atomic.Bool
	full      atomic.Bool
	ill       illness

	mu     sync.Mutex
	queue  []*work
	closed bool
	wake   chan struct{} // capacity 1: the queue is not empty
	stop   chan struct{} // closed: end once the queue is empty
	abort  atomic.Bool   // end now
	done   chan struct{} // closed by the writer when it has ended
	failed chan struct{}
	cause  error // set before failed is closed
}

// ID is the store id: made with the database, never changed.
func (s *Store) ID() ID { return s.id }

// Run is this start's run id. It is recorded with the first batch.
func (s *Store) Run() ID { return s.run }

// NodeID is the node that the database belongs to.
func (s *Store) NodeID() string { return s.opt.NodeID }

// WasClean tells whether the store was closed in order before this start. It is true for a new database.
func (s *Store) WasClean() bool { return s.clean }

// Failed is closed when the store has failed; Err then says why.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err is nil, or wraps ErrFailed and the cause once the store has failed.
func (s *Store) Err() error {
	select {
	case <-s.failed:
		return s.cause
	default:
		return nil
	}
}

// Submit queues a Tx. It does not wait for the disk.
func (s *Store) Submit(tx *Tx) { s.submit(&work{tx: tx}) }

// Offer is Submit for callers that hold a lock which Done takes: when the store is closed it returns ErrClosed and Done is not called.
func (s *Store) Offer(tx *Tx) error { return s.queueUp(&work{tx: tx}) }

func (s *Store) submit(w *work) {
	if err := s.queueUp(w); err != nil {
		w.finish(err)
	}
}

func (s *Store) queueUp(w *work) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.queue = append(s.queue, w)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Do submits a Tx and waits for its outcome. Done is called as well, if set. It must not be called from a callback.
func (s *Store) Do(tx *Tx) error { return s.do(&work{tx: tx}) }

func (s *Store) do(w *work) error {
	outcome := make(chan error, 1)
	done := w.tx.Done
	w.tx.Done = func(err error) {
		if done != nil {
			done(err)
		}
		outcome <- err
	}
	s.submit(w)
	return <-outcome
}

func (w *work) finish(err error) {
	if w.tx.Done != nil {
		w.tx.Done(err)
	}
}

// Head returns the state of a channel's log as of the last commit, and whether the log knows the channel.
func (s *Store) Head(channel string) (Head, bool) {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	c := s.world.channels[channel]
	if c == nil {
		return Head{}, false
	}
	return c.public(), true
}

// Newest is the last sequence of the log, of whichever channel, as of the last commit; 0: it is empty.
func (s *Store) Newest() uint64 {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	return s.world.next - 1
}

// Heads returns the state of all channels that the log knows.
func (s *Store) Heads() map[string]Head {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	heads := make(map[string]Head, len(s.world.channels))
	for name, c := range s.world.channels {
		heads[name] = c.public()
	}
	return heads
}

// Runs lists the runs that wrote to this log, oldest first.
func (s *Store) Runs() []Run {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	return slices.Clone(s.world.runs)
}

// LastOf returns the last sequence in this log that the run wrote, and whether it wrote any.
func (s *Store) LastOf(run ID) (uint64, bool) {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	runs := s.world.runs
	for i := len(runs) - 1; i >= 0; i-- {
		if runs[i].ID != run {
			continue
		}
		if i+1 < len(runs) {
			return runs[i+1].First - 1, true // sequences have no holes, so a run ends where the next begins
		}
		return s.world.next - 1, true
	}
	return 0, false
}

// Readers lists all joins to this log's channels, ended ones too.
func (s *Store) Readers() []Reader {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	return slices.Collect(maps.Values(s.world.readers))
}

// Positions lists this node's places in one sender's log.
func (s *Store) Positions(sender ID) []Position {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	var positions []Position
	for k, p := range s.world.positions {
		if k.sender == sender {
			positions = append(positions, p)
		}
	}
	return positions
}

// AllPositions lists this node's places in the logs of all senders.
func (s *Store) AllPositions() []Position {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	return slices.Collect(maps.Values(s.world.positions))
}

// Attempts lists the attempts recorded at this node's places in one sender's log. An attempt goes when its position moves.
func (s *Store) Attempts(sender ID) []AttemptAt {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	var attempts []AttemptAt
	for k, a := range s.world.attempts {
		if k.sender == sender {
			attempts = append(attempts, AttemptAt{Channel: k.channel, Join: k.join, Attempt: a})
		}
	}
	return attempts
}

// Joins lists this node's own subscriptions, ended ones too.
func (s *Store) Joins() []Join {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	return slices.Collect(maps.Values(s.world.joins))
}
