package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// The back-off of work that waits for room. A submission tries at once, whatever the delay.
const (
	retryFirst = 50 * time.Millisecond
	retryLast  = 2 * time.Second
)

type retry struct{ delay time.Duration }

func (r *retry) reset() { r.delay = retryFirst }
func (r *retry) next()  { r.delay = min(r.delay*2, retryLast) }

// crowded deals with a group that had no room as a whole: what must be written goes first, then what needs next to no room on its
// own, out of the reserve. What cannot wait is refused.
func (s *Store) crowded(group []*work) {
	s.retry.next()
	defer func() { s.thrifty = false }()
	// A log that starts over can be written without growing.
	if err := s.checkpointNow(sqlite3.CHECKPOINT_RESTART); err != nil {
		s.fail(err, group)
		return
	}
	if s.files.reserveHeld() {
		if err := s.clearFor(group); err != nil {
			s.fail(err, group)
			return
		}
		if s.attempt(group, nil, s.commit) {
			return
		}
		s.thrifty = true
		chosen, rest := split(group, func(w *work) bool { return w.tx.Must || w.light() })
		if len(rest) > 0 && s.attempt(chosen, nil, s.commit) {
			s.again(chosen, rest)
			return
		}
	}
	s.thrifty = true
	chosen, rest := ahead(group)
	if !s.attempt(chosen, rest, s.commitReserved) {
		s.hold(group)
	}
}

// again tries sends once more behind positions and ends that may let something be pruned. Behind messages, which were submitted with
// them and had to be written, they are refused: the order of messages stays.
func (s *Store) again(before, sends []*work) {
	written := slices.ContainsFunc(before, func(w *work) bool { return len(w.segments) > 0 })
	switch err := s.Err(); {
	case err != nil:
		finish(sends, err)
		return
	case written:
		s.hold(sends)
		return
	}
	if err := s.clearFor(sends); err != nil {
		s.fail(err, sends)
		return
	}
	if !s.attempt(sends, nil, s.commit) {
		s.hold(sends)
	}
}

// attempt commits the chosen part of a group and holds or refuses the rest. It is not settled when there was no room for the chosen.
func (s *Store) attempt(chosen, rest []*work, commit func([]*work) error) (settled bool) {
	if len(chosen) == 0 {
		return false
	}
	switch err := commit(chosen); {
	case err == nil:
		s.hold(rest)
		s.publish(chosen)
	case noRoom(err):
		s.ill.cause = err
		return false
	case damaged(err) && prunes(chosen):
		left, err := s.setAside(err, chosen)
		if err == nil && len(left) > 0 {
			return s.attempt(left, rest, commit)
		}
		if err == nil {
			s.hold(rest)
			return true
		}
		s.fail(err, append(left, rest...))
	default:
		s.fail(err, append(chosen, rest...))
	}
	return true
}

// commitReserved commits with the room that is kept for a full disk.
func (s *Store) commitReserved(group []*work) error {
	if err := s.limitPages(reservedPages); err != nil {
		return err
	}
	err := s.commit(group)
	if err != nil && full(err) && s.files.releaseReserve() {
		err = s.commit(group)
	}
	if limit := s.limitPages(0); limit != nil {
		return limit
	}
	return err
}

// reservedPages is how far the database may grow past Options.MaxSize for positions and deletions.
const reservedPages = 64

// limitPages holds the database file to Options.MaxSize, and as many pages more.
func (s *Store) limitPages(more int64) error {
	if s.opt.MaxSize <= 0 {
		return nil
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.w.raw.Exec(fmt.Sprintf("PRAGMA max_page_count=%d", max(s.opt.MaxSize/pageSize, 1)+more))
}

// hold keeps Must work for later and refuses the rest.
func (s *Store) hold(group []*work) {
	if len(group) > 0 {
		s.suffer(group)
	}
	for _, w := range group {
		if w.tx.Must {
			s.kept = append(s.kept, w)
		} else {
			w.finish(s.fullError())
		}
	}
	s.noteFull()
}

func split(group []*work, want func(*work) bool) (chosen, rest []*work) {
	for _, w := range group {
		if want(w) {
			chosen = append(chosen, w)
		} else {
			rest = append(rest, w)
		}
	}
	return chosen, rest
}

// ahead picks the light work that may be written before the heavier work that was submitted earlier and has to wait. A position
// must not pass the effects of an earlier message of the same sender, and membership keeps its order.
func ahead(group []*work) (chosen, rest []*work) {
	senders := map[ID]bool{}
	members := false
	return split(group, func(w *work) bool {
		ok := w.light() && !(members && changesMembers(w.tx))
		for i := range w.tx.Progress {
			ok = ok && !senders[w.tx.Progress[i].Sender]
		}
		if !ok && w.tx.Must {
			members = members || changesMembers(w.tx)
			for i := range w.tx.Progress {
				senders[w.tx.Progress[i].Sender] = true
			}
		}
		return ok
	})
}

func changesMembers(tx *Tx) bool {
	return len(tx.Readers) > 0 || len(tx.Joins) > 0 || len(tx.Skips) > 0 || len(tx.Closed) > 0
}
