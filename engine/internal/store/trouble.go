package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Trouble is what keeps a store from taking what it is given.
type Trouble uint8

const (
	NoTrouble    Trouble = iota
	LimitReached         // Options.MaxSize is in use, and all of it is needed
	DiskFull             // the disk has no room
	ReserveUsed          // the disk has no room, and the room that was kept back for that is in use
	ReadOnly             // the system does not let the database be written
	Broken               // the store has failed: see Err
)

// Condition is how a store fares.
type Condition struct {
	Trouble Trouble
	Reason  string        // for people, with the way out; empty without trouble
	For     time.Duration // since it began
}

// condition is a Condition as the writer notes it.
type condition struct {
	trouble Trouble
	reason  string
	since   time.Duration
}

// illness is what the writer knows of its trouble. Only the condition is for others.
type illness struct {
	now    atomic.Pointer[condition] // nil: none
	cause  error                     // of the latest lack of room
	struck bool                      // something was refused or kept since the latest review
	need   int64                     // bytes that there must be room for before it is over
	probed time.Duration             // when the disk was last tried; 0: never
}

// Condition tells how the store fares. A trouble other than Broken ends by itself when there is room again, even if nothing is submitted.
func (s *Store) Condition() Condition {
	c := s.ill.now.Load()
	if c == nil {
		return Condition{}
	}
	return Condition{c.trouble, c.reason, s.opt.Elapsed() - c.since}
}

// What must be free again before a trouble is over: at least the first, and at most the second, however much was refused, so that a trouble does
// not come and go with every message.
const (
	leastNeed = 8 * pageSize
	mostNeed  = 1 << 20
)

// suffer takes note that work was refused, or is kept, for want of room.
func (s *Store) suffer(group []*work) {
	s.ill.struck = true
	for _, w := range group {
		s.ill.need = max(s.ill.need, int64(w.bytes)*5/4)
	}
}

// review finds out, after each group and while there is trouble every retryLast, whether it has begun, changed or ended.
func (s *Store) review() {
	if s.Err() != nil {
		return
	}
	before := NoTrouble
	if c := s.ill.now.Load(); c != nil {
		before = c.trouble
	}
	now := before
	switch struck := s.ill.struck; {
	case struck:
		now = s.diagnose()
	case before == NoTrouble && s.files.reserveHeld():
		if s.full.Load() {
			now = LimitReached
		}
	case len(s.kept) == 0 && s.recovered(before):
		now = NoTrouble
	}
	s.ill.struck = false
	if !s.files.reserveHeld() && (now == NoTrouble || now == DiskFull) {
		now = ReserveUsed
	}
	if now == NoTrouble {
		s.ill.need = 0
	}
	if s.Err() == nil && now != before {
		s.note(now)
	}
}

// diagnose tells which kind of room is missing.
func (s *Store) diagnose() Trouble {
	used := (s.pages - s.free) * pageSize
	switch err := s.ill.cause; {
	case err != nil && readOnly(err):
		return ReadOnly
	case s.opt.MaxSize <= 0, errors.Is(err, errAtDisk), used+s.ill.need+s.opt.MaxSize/4 < s.opt.MaxSize:
		return DiskFull
	}
	return LimitReached
}

// recovered tells whether there is room again: it tries.
func (s *Store) recovered(from Trouble) bool {
	need := min(max(s.ill.need, leastNeed), mostNeed)
	if s.opt.MaxSize > 0 {
		need = min(need, max(s.opt.MaxSize/16, leastNeed))
		if s.opt.MaxSize-(s.pages-s.free)*pageSize < need {
			return false
		}
	}
	if from == LimitReached && s.files.reserveHeld() {
		return true
	}
	now := s.opt.Elapsed()
	if s.ill.probed != 0 && now-s.ill.probed < retryLast {
		return false
	}
	s.ill.probed = max(now, 1)
	if !s.files.reserveHeld() && !s.files.restoreReserve(now) || !s.files.spare(need) {
		return false
	}
	err := s.touch()
	if err != nil && !noRoom(err) {
		s.fail(err, nil)
	}
	return err == nil
}

// touch commits a change that does no harm: the engine time that a crash would go on from, by a millisecond. SQLite writes nothing where nothing
// changes.
func (s *Store) touch() error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if err := s.w.exec(qTouch); err != nil {
		return fmt.Errorf("try to write: %w", err)
	}
	return nil
}

// spare tells whether the disk has room for so many bytes more, as far as that can be told.
func (f *files) spare(size int64) bool {
	if f.vfs != "" {
		return f.room.spare == nil || f.room.spare(size) == nil
	}
	path := f.path + ".probe"
	err := fill(path, size)
	_ = os.Remove(path) // it may not be there
	return !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT)
}

// note makes a condition known.
func (s *Store) note(t Trouble) {
	var c *condition
	if t != NoTrouble {
		c = &condition{t, s.explain(t), s.opt.Elapsed()}
		if old := s.ill.now.Load(); old != nil {
			c.since = old.since
		}
	}
	s.ill.now.Store(c)
	if s.opt.OnCondition != nil {
		s.opt.OnCondition()
	}
}

func (s *Store) explain(t Trouble) string {
	const wayOut = "let the readers catch up, or end the joins of those that will not return"
	path, used := s.files.path, (s.pages-s.free)*pageSize
	switch t {
	case LimitReached:
		return fmt.Sprintf("%s has %d bytes in use, all needed, and may have %d: raise that limit (storage.max_size), %s", path, used, s.opt.MaxSize, wayOut)
	case DiskFull:
		return fmt.Sprintf("the disk of %s, which has %d bytes in use, all needed, is full: make room on it, %s", path, used, wayOut)
	case ReserveUsed:
		return fmt.Sprintf("the disk of %s is full, and the room kept back for that (storage.reserve) is in use: make room on it, %s", path, wayOut)
	case ReadOnly:
		return fmt.Sprintf("%s cannot be written: make the folder %s and the disk below it writable again", path, filepath.Dir(path))
	case Broken:
		return s.cause.Error()
	case NoTrouble:
	}
	return ""
}

// readOnly tells whether an error means that the system refused to let anything be written: nothing was.
func readOnly(err error) bool {
	return errors.Is(err, sqlite3.READONLY) && !errors.Is(err, sqlite3.READONLY_DBMOVED) && !errors.Is(err, errUnknown)
}

// FullError is the refusal of work for want of room. It matches ErrFull, and ErrNotWritable if the database is read-only.
type FullError struct {
	Path    string  // the database
	Size    int64   // bytes of the file that are in use
	Limit   int64   // Options.MaxSize, if that is what was reached; else 0
	Trouble Trouble // LimitReached, DiskFull or ReadOnly
	Reason  string  // for people, with the way out
}

func (e *FullError) Error() string {
	kind := ErrFull
	if e.Trouble == ReadOnly {
		kind = ErrNotWritable
	}
	return fmt.Sprintf("%v: %s", kind, e.Reason)
}

// Is makes a FullError match what it is.
func (e *FullError) Is(target error) bool {
	return target == ErrFull || target == ErrNotWritable && e.Trouble == ReadOnly
}

func (s *Store) fullError() error {
	t := s.diagnose()
	e := &FullError{Path: s.files.path, Size: (s.pages - s.free) * pageSize, Trouble: t, Reason: s.explain(t)}
	if t == LimitReached {
		e.Limit = s.opt.MaxSize
	}
	return e
}
