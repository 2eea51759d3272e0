package store

import (
	"errors"
	"strings"
	"testing"
)

const smallSize = 200 * pageSize

// small is a store on a file that may grow to a few times smallSize only.
func small(t *testing.T, times int64) *Store {
	return fileStore(t, func(o *Options) { o.MaxSize, o.Reserve = times*smallSize, -1 })
}

func large(channel string) Segment {
	return Segment{Channel: channel, Count: 1, Body: make([]byte, 60_000)}
}

// TestNoSendIsRefusedForWhatIsDelivered sends five times what the file may hold past a reader that keeps up.
func TestNoSendIsRefusedForWhatIsDelivered(t *testing.T) {
	s := small(t, 1)
	change(t, s, add(id(1), "n", 1, StartHead))
	for i := range uint64(5 * smallSize / 60_000) {
		send(t, s, large("a"))
		change(t, s, move(id(1), 1, i+1, i+1))
	}
	account(t, s)
	if h, _ := s.Head("a"); h.Floor == 0 || h.Floor == h.Last {
		t.Errorf("pruned up to %d of %d, want what the room is needed for and no more", h.Floor, h.Last)
	}
	if u, err := s.Usage(); err != nil || u.Bytes > smallSize {
		t.Error(u, err)
	}
}

// TestPruningKeepsUpWithSenders has groups of batches come as fast as the writer takes them; their reader is always past them.
func TestPruningKeepsUpWithSenders(t *testing.T) {
	s := small(t, 2)
	change(t, s, add(id(1), "n", 1, StartHead))
	const rounds = 100
	refused := make(chan error, rounds)
	for i := range uint64(rounds) {
		tx := &Tx{Done: func(err error) { refused <- err }}
		for range 10 {
			tx.Segments = append(tx.Segments, large("a"))
		}
		s.Submit(tx)
		s.Submit(&Tx{Must: true, Readers: []ReaderChange{move(id(1), 1, 10*i, 10*i)}})
		if i >= 2 { // two are always under way
			if err := <-refused; err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
		}
	}
}

// TestPendingIsNeverPruned fills the file with what one of two readers has not got.
func TestPendingIsNeverPruned(t *testing.T) {
	s := small(t, 1)
	change(t, s, add(id(1), "n", 1, StartHead), add(id(2), "away", 1, StartHead))
	var refused error
	for i := uint64(1); refused == nil; i++ {
		if refused = s.Do(&Tx{Segments: []Segment{large("a")}}); refused == nil {
			change(t, s, move(id(1), 1, i, i))
		}
	}
	var full *FullError
	if !errors.Is(refused, ErrFull) || !errors.As(refused, &full) || full.Limit != smallSize || full.Size < smallSize*9/10 || !strings.Contains(refused.Error(), full.Path) {
		t.Fatalf("%+v: %v", full, refused)
	}
	h, _ := s.Head("a")
	if h.Floor != 0 || len(readAll(t, s, "a", 0)) != int(h.Total) {
		t.Fatalf("pruned up to %d", h.Floor)
	}
	if !s.Short() {
		t.Error("the store does not tell that it is short of room")
	}
	change(t, s, move(id(2), 1, h.Last/2, h.Last/2)) // positions are still taken
	for range 10 {
		send(t, s, large("a"))
	}
	if again, _ := s.Head("a"); again.Floor == 0 || again.Floor > h.Last/2 {
		t.Errorf("pruned up to %d, the reader is at %d", again.Floor, h.Last/2)
	}
	change(t, s, end(id(2), 1)) // and so is an end
	for range 10 {
		send(t, s, large("a"))
	}
	account(t, s)
}

// TestPruneTakesTheOldestFirst holds that a busy channel does not make an idle one lose what is delivered but newer.
func TestPruneTakesTheOldestFirst(t *testing.T) {
	s, _ := newStore(t)
	for range 100 {
		send(t, s, messages("old", 1))
	}
	for range 100 {
		send(t, s, messages("new", 1))
	}
	if n, err := s.Prune(100, s.Now()); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	if h, _ := s.Head("old"); h.Floor != 100 {
		t.Errorf("the old channel is pruned up to %d", h.Floor)
	}
	if h, _ := s.Head("new"); h.Floor != 0 {
		t.Errorf("the new channel is pruned up to %d", h.Floor)
	}
}

// TestTheEndOfAnOpenMarkMakesRoom fills the file with messages that were kept for readers yet to come, too: once that ends there is room, without a
// send that asks for it.
func TestTheEndOfAnOpenMarkMakesRoom(t *testing.T) {
	s := small(t, 1)
	change(t, s, add(id(1), "n", 1, StartHead))
	open := large("a")
	open.Open = true
	for err := error(nil); err == nil; {
		if err = s.Do(&Tx{Segments: []Segment{open}}); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	h, _ := s.Head("a")
	change(t, s, move(id(1), 1, h.Last, h.Last))
	if err := s.Do(&Tx{}); err != nil { // behind the pruning that found nothing
		t.Fatal(err)
	}
	if h, _ := s.Head("a"); h.Floor != 0 || !s.Short() || s.Condition().Trouble != LimitReached {
		t.Fatalf("%+v, %+v", h, s.Condition())
	}
	do(t, s, Tx{Closed: []string{"a"}})
	within(t, "there is room", func() bool {
		h, _ := s.Head("a")
		return h.Floor > 0 && !s.Full() && s.Condition().Trouble == NoTrouble
	})
	account(t, s)
}
