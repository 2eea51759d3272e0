package store

import (
	"testing"
	"time"
)

func TestPrune(t *testing.T) {
	elapsed := time.Minute
	s, reopen := newStore(t, func(o *Options) {
		o.Elapsed = func() time.Duration { return elapsed }
		o.TailBytes = 300
	})
	change(t, s, add(id(1), "n", 1, StartHead), add(id(2), "gone", 1, StartHead))
	change(t, s, end(id(2), 1))
	for range 100 {
		send(t, s, messages("a", 2), messages("b", 1))
	}
	do(t, s, Tx{Skips: []SkipRange{{Channel: "a", From: 2, To: 5, Reason: 1}, {Channel: "a", From: 12, To: 200, Reason: 2}}})
	elapsed = time.Hour
	open := messages("b", 1)
	open.Open = true
	send(t, s, messages("a", 2), open)
	prune := func(limit int, older int64, want int) {
		t.Helper()
		if n, err := s.Prune(limit, older); n != want || err != nil {
			t.Fatalf("%d, %v; want %d", n, err, want)
		}
	}
	prune(1000, -1, 0)         // too young
	prune(10, s.Now()-1, 10)   // the limit
	prune(1000, s.Now()-1, 90) // b has no reader, a's is at the start
	prune(1000, s.Now(), 0)    // b's open mark keeps the last
	change(t, s, move(id(1), 1, 8, 6))
	prune(1000, s.Now(), 3)
	h, _ := s.Head("a")
	if h.Floor != 8 || h.Last != 302 || h.Total != 202 {
		t.Fatal(h)
	}
	do(t, s, Tx{Closed: []string{"b"}})
	prune(1000, s.Now(), 1)
	account(t, s)
	both(s, reopen, func(s *Store) {
		if again, _ := s.Head("a"); again != h {
			t.Fatal(again, h)
		}
		if b, _ := s.Head("b"); b != (Head{Last: 303, Total: 101, Floor: 303}) {
			t.Fatal(b)
		}
		for seq, want := range map[uint64]uint64{1: 6, 7: 6, 8: 6, 9: 6, 10: 7, 302: 202} {
			if n, err := s.Upto("a", seq); n != want || err != nil {
				t.Fatalf("up to %d: %d, %v; want %d", seq, n, err, want)
			}
		}
		if b := readAll(t, s, "a", 0); len(b) != 98 || b[0].First != 10 {
			t.Fatal(spans(b))
		}
		if skips, err := s.Skips("a", id(1), 1, 1, 300); err != nil || len(skips) != 1 || skips[0].Reason != 2 {
			t.Fatal(skips, err)
		}
	})
}

// TestAPositionBelowTheFloor is a reader restored from an old copy: what it has handled, it says itself.
func TestAPositionBelowTheFloor(t *testing.T) {
	s, _ := newStore(t)
	change(t, s, add(id(1), "n", 1, StartHead))
	for range 10 {
		send(t, s, messages("a", 2), messages("b", 1))
	}
	change(t, s, move(id(1), 1, 14, 10))
	if n, err := s.Prune(100, s.Now()); n != 15 || err != nil {
		t.Fatal(n, err)
	}
	change(t, s, move(id(1), 1, 7, 5))
	if r := only(t, s, id(1), 1); r.Position != 7 || r.Done != 5 {
		t.Fatalf("%+v", r)
	}
	change(t, s, add(id(2), "m", 1, StartAll))
	if r := only(t, s, id(2), 1); r.Start != 15 || r.StartTotal != 10 {
		t.Fatalf("%+v", r)
	}
}

// TestSequencesGoOnAfterEverythingWasPruned holds that a sequence is never given twice.
func TestSequencesGoOnAfterEverythingWasPruned(t *testing.T) {
	s, reopen := newStore(t)
	send(t, s, messages("a", 5))
	first := s.Run()
	if n, err := s.Prune(100, s.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s = reopen()
	send(t, s, messages("b", 1))
	if b := readAll(t, s, "b", 0); b[0].First != 6 {
		t.Fatal(spans(b))
	}
	if last, ok := s.LastOf(first); last != 5 || !ok {
		t.Fatal(last, ok)
	}
}

// TestWhatIsSkippedMakesRoom holds that messages that ended for a reader that is away take no room, and that it is told all the same.
func TestWhatIsSkippedMakesRoom(t *testing.T) {
	s, reopen := newStore(t)
	change(t, s, add(id(1), "away", 1, StartHead))
	for range 20 {
		send(t, s, messages("a", 1), messages("b", 1))
	}
	do(t, s, Tx{Skips: []SkipRange{{Store: id(1), Channel: "a", Join: 1, From: 1, To: 10, Reason: 2}, {Channel: "a", From: 11, To: 20, Reason: 2}, {Channel: "a", From: 21, To: 30, Reason: 3}}})
	if _, err := s.Prune(1000, s.Now()); err != nil {
		t.Fatal(err)
	}
	both(s, reopen, func(s *Store) {
		if h, _ := s.Head("a"); h.Floor != 19 {
			t.Errorf("pruned up to %d, want all that is skipped for one reason from the reader's place on", h.Floor)
		}
		if skips, err := s.Skips("a", id(1), 1, 1, 19); err != nil || len(skips) != 2 {
			t.Errorf("the reader is to be told of %v, %v", skips, err)
		}
	})
}
