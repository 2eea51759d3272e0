package store

import (
	"testing"
)

// only returns the one reader row of a join.
func only(t testing.TB, s *Store, store ID, join uint64) Reader {
	t.Helper()
	for _, r := range s.Readers() {
		if r.Store == store && r.Join == join {
			return r
		}
	}
	t.Fatalf("no row for join %d", join)
	return Reader{}
}

// account checks the identity for every row.
func account(t testing.TB, s *Store) {
	t.Helper()
	for _, r := range s.Readers() {
		h, _ := s.Head(r.Channel)
		if got, want := r.Totals.Sum()+r.Removed+r.Pending(h), r.Accepted(h); got != want {
			t.Fatalf("accepted %d, accounted for %d: %+v, head %+v", want, got, r, h)
		}
	}
}

func add(store ID, node string, join uint64, at Start) ReaderChange {
	return ReaderChange{Add: &AddReader{Store: store, Node: node, Channel: "a", Join: join, Start: at}}
}

func move(store ID, join, position, handled uint64) ReaderChange {
	return ReaderChange{Move: &MoveReader{Store: store, Channel: "a", Join: join, Position: position, Totals: Totals{Handled: handled}}}
}

func end(store ID, join uint64) ReaderChange {
	return ReaderChange{End: &EndReader{Store: store, Channel: "a", Join: join}}
}

func change(t testing.TB, s *Store, c ...ReaderChange) {
	t.Helper()
	do(t, s, Tx{Readers: c})
	account(t, s)
}

func TestWhereAReaderStarts(t *testing.T) {
	open := messages("a", 2)
	open.Open = true
	for _, c := range []struct {
		name         string
		log          []Segment
		at           Start
		start, total uint64
	}{
		{"empty, open", nil, StartOpen, 0, 0},
		{"empty, head", nil, StartHead, 0, 0},
		{"empty, all", nil, StartAll, 0, 0},
		{"no mark", []Segment{messages("b", 1), messages("a", 3)}, StartOpen, 4, 3},
		{"mark", []Segment{messages("a", 3), messages("b", 1), open, messages("a", 1)}, StartOpen, 4, 3},
		{"mark, head", []Segment{messages("a", 3), open}, StartHead, 5, 5},
		{"all", []Segment{messages("b", 2), messages("a", 3), open}, StartAll, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, reopen := newStore(t)
			do(t, s, Tx{Segments: c.log})
			// What the same Tx appends comes after the reader.
			do(t, s, Tx{Readers: []ReaderChange{add(id(1), "n", 1, c.at)}, Segments: []Segment{messages("a", 1)}})
			both(s, reopen, func(s *Store) {
				if r := only(t, s, id(1), 1); r.Start != c.start || r.StartTotal != c.total || r.Position != c.start || r.Done != c.total {
					t.Fatalf("%+v", r)
				}
				account(t, s)
			})
		})
	}
}

func TestAReaderJoinsBetweenTheSegmentsOfOneCommit(t *testing.T) {
	gate := make(chan struct{})
	s, _ := newStore(t, func(o *Options) { o.PerChannel = true })
	// The first Tx holds the writer until the others are queued, so that they share one commit.
	s.Submit(&Tx{Take: func() []Segment { <-gate; return nil }})
	s.Submit(&Tx{Segments: []Segment{messages("a", 2), messages("b", 1)}})
	s.Submit(&Tx{Readers: []ReaderChange{add(id(1), "n", 1, StartHead)}})
	s.Submit(&Tx{Segments: []Segment{messages("b", 1), messages("a", 1)}})
	done := make(chan error)
	s.Submit(&Tx{Done: func(err error) { done <- err }})
	close(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := only(t, s, id(1), 1); r.Start != 2 || r.StartTotal != 2 {
		t.Fatalf("%+v", r)
	}
	if got, want := spans(readAll(t, s, "a", 0)), "a:1-2<0+0 a:5-5<2+2 "; got != want {
		t.Fatal(got)
	}
	account(t, s)
}

func TestMoveReader(t *testing.T) {
	s, reopen := newStore(t)
	send(t, s, messages("a", 5), messages("b", 5))
	change(t, s, add(id(1), "n", 1, StartHead))
	send(t, s, messages("a", 5), messages("b", 1), messages("a", 4)) // 11–15 and 17–20
	for _, c := range []struct{ report, handled, position, done uint64 }{
		{13, 3, 13, 8},
		{18, 7, 18, 12},
		{16, 5, 16, 10}, // another channel's sequence, and back
		{20, 9, 20, 14},
		{11, 1, 11, 6}, // restored from an old copy
		{1, 0, 5, 5},   // never before its start
		{99, 9, 20, 14},
	} {
		change(t, s, move(id(1), 1, c.report, c.handled))
		if r := only(t, s, id(1), 1); r.Position != c.position || r.Done != c.done || r.Totals.Handled != c.handled {
			t.Fatalf("report %d: %+v", c.report, r)
		}
	}
	change(t, s, move(id(2), 1, 3, 3), move(id(1), 9, 3, 3)) // unknown
	s = reopen()
	if r := only(t, s, id(1), 1); r.Position != 20 || r.Done != 14 || len(s.Readers()) != 1 {
		t.Fatalf("%+v", r)
	}
	account(t, s)
}

func TestEndReader(t *testing.T) {
	s, reopen := newStore(t)
	change(t, s, add(id(1), "n", 3, StartHead))
	send(t, s, messages("a", 5))
	change(t, s, move(id(1), 3, 2, 2))
	change(t, s, end(id(1), 3), end(id(2), 1))
	send(t, s, messages("a", 5))
	change(t, s, end(id(1), 3), move(id(1), 3, 4, 4), add(id(1), "n", 3, StartAll), add(id(1), "n", 2, StartAll), add(id(2), "m", 1, StartAll))
	s = both(s, reopen, func(s *Store) {
		if r := only(t, s, id(1), 3); !r.Ended || r.Removed != 3 || r.Accepted(Head{}) != 5 {
			t.Fatalf("%+v", r)
		}
		if r := only(t, s, id(2), 1); !r.Ended || r.Removed != 0 {
			t.Fatalf("a leave that overtook its join is forgotten: %+v", r)
		}
		if n := len(s.Readers()); n != 2 {
			t.Fatal(n)
		}
		account(t, s)
	})
	change(t, s, add(id(1), "n", 4, StartHead))
	if r := only(t, s, id(1), 4); r.Ended || r.Start != 10 {
		t.Fatalf("%+v", r)
	}
}

func TestANewerJoinEndsTheOlder(t *testing.T) {
	s, _ := newStore(t)
	change(t, s, add(id(1), "n", 1, StartHead))
	send(t, s, messages("a", 4))
	change(t, s, add(id(1), "n", 2, StartHead))
	if r := only(t, s, id(1), 1); !r.Ended || r.Removed != 4 {
		t.Fatalf("%+v", r)
	}
	if r := only(t, s, id(1), 2); r.Ended || r.Start != 4 {
		t.Fatalf("%+v", r)
	}
}

func TestANewStoreTakesItsNodesPlace(t *testing.T) {
	s, reopen := newStore(t)
	change(t, s, add(id(1), "n", 7, StartHead), add(id(3), "other", 1, StartHead))
	send(t, s, messages("a", 10))
	change(t, s, move(id(1), 7, 4, 4))
	do(t, s, Tx{Skips: []SkipRange{{Store: id(1), Channel: "a", Join: 7, From: 6, To: 8, Reason: 3}}})
	change(t, s, add(id(2), "n", 1, StartHead))
	send(t, s, messages("a", 1))
	change(t, s, move(id(2), 1, 5, 1))
	both(s, reopen, func(s *Store) {
		h, _ := s.Head("a")
		if r := only(t, s, id(1), 7); !r.Ended || r.Removed != 0 || r.Accepted(h) != 4 {
			t.Fatalf("%+v", r)
		}
		if r := only(t, s, id(2), 1); r.Ended || r.Start != 4 || r.Accepted(h) != 7 || r.Pending(h) != 6 {
			t.Fatalf("%+v", r)
		}
		if r := only(t, s, id(3), 1); r.Ended {
			t.Fatal("another node's row ended")
		}
		skips, err := s.Skips("a", id(2), 1, 1, 99)
		if err != nil || len(skips) != 1 || skips[0].From != 6 {
			t.Fatal("the skips did not move with the place", skips, err)
		}
		account(t, s)
	})
}

func TestAReplacedStoreTakesItsPlaceBack(t *testing.T) {
	s, reopen := newStore(t)
	change(t, s, add(id(1), "n", 7, StartHead))
	send(t, s, messages("a", 10))
	change(t, s, move(id(1), 7, 4, 4))
	change(t, s, add(id(2), "n", 1, StartHead))
	do(t, s, Tx{Skips: []SkipRange{{Store: id(2), Channel: "a", Join: 1, From: 8, To: 9, Reason: 2}}})
	change(t, s, move(id(2), 1, 6, 2))
	send(t, s, messages("a", 1))
	change(t, s, move(id(1), 7, 9, 9)) // not its turn: it changes nothing
	if r := only(t, s, id(1), 7); !r.Ended || !r.Replaced || r.Position != 4 {
		t.Fatalf("%+v", r)
	}
	change(t, s, add(id(1), "n", 7, StartHead))
	s = both(s, reopen, func(s *Store) {
		h, _ := s.Head("a")
		if r := only(t, s, id(1), 7); r.Ended || r.Replaced || r.Position != 4 || r.Accepted(h) != 11 || r.Pending(h) != 7 || r.Removed != 0 {
			t.Fatalf("the one that came back: %+v", r)
		}
		if r := only(t, s, id(2), 1); !r.Ended || !r.Replaced || r.Accepted(h) != 2 || r.Pending(h) != 0 || r.Removed != 0 {
			t.Fatalf("the brief one: %+v", r)
		}
		if skips, err := s.Skips("a", id(1), 7, 1, 99); err != nil || len(skips) != 1 || skips[0].From != 8 {
			t.Fatal("a purge does not hold for the one that came back", skips, err)
		}
		account(t, s)
	})
	change(t, s, end(id(2), 1)) // a kick ends a replaced join too
	change(t, s, add(id(2), "n", 1, StartHead))
	h, _ := s.Head("a")
	if r := only(t, s, id(2), 1); !r.Ended || r.Replaced || r.Removed != 0 || r.Accepted(h) != 2 {
		t.Fatalf("%+v", r)
	}
	if r := only(t, s, id(1), 7); r.Ended {
		t.Fatalf("%+v", r)
	}
	change(t, s, add(id(3), "n", 1, StartHead), add(id(1), "n", 8, StartHead))
	if r := only(t, s, id(1), 7); !r.Ended || r.Replaced {
		t.Fatalf("a newer join does not end a replaced one: %+v", r)
	}
	if r := only(t, s, id(1), 8); r.Ended || r.Start != 4 {
		t.Fatalf("%+v", r)
	}
}

func TestReplacedReadersHoldNothingBack(t *testing.T) {
	s, _ := newStore(t)
	change(t, s, add(id(1), "n", 1, StartHead))
	send(t, s, messages("a", 5))
	send(t, s, messages("a", 5))
	change(t, s, move(id(1), 1, 2, 2), add(id(2), "n", 1, StartHead))
	change(t, s, move(id(2), 1, 10, 8))
	if n, err := s.Prune(10, s.Now()); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	change(t, s, add(id(1), "n", 1, StartHead))
	h, _ := s.Head("a")
	if r := only(t, s, id(1), 1); r.Ended || r.Position != 2 || r.Pending(h) != 8 {
		t.Fatalf("%+v", r)
	}
}

func TestOneNodesPastIsBounded(t *testing.T) {
	s, reopen := newStore(t)
	change(t, s, add(id(999), "other", 1, StartHead))
	for n := range maxPast + 10 {
		do(t, s, Tx{Readers: []ReaderChange{add(id(1+n), "n", 1, StartHead)}})
		send(t, s, messages("a", 1))
		change(t, s, move(id(1+n), 1, uint64(n+1), 1))
	}
	s = both(s, reopen, func(s *Store) {
		if n := len(s.Readers()); n != maxPast+2 {
			t.Fatalf("%d rows, want the node's own, %d that it had, and another node's", n, maxPast)
		}
		account(t, s)
	})
	for _, r := range s.Readers() {
		if r.Store == id(1) || r.Store == id(9) {
			t.Errorf("an old row stayed instead of a newer one: %+v", r)
		}
	}
}

// TestTheReaderKnowsMoreThanTheLog: a log that was restored from an old copy goes on with a reader that has had what is lost.
func TestTheReaderKnowsMoreThanTheLog(t *testing.T) {
	s, reopen := newStore(t)
	change(t, s, add(id(1), "n", 1, StartHead))
	send(t, s, messages("a", 10))
	opens := func(position, handled uint64) {
		c := move(id(1), 1, position, handled)
		c.Move.Opens = true
		change(t, s, c)
	}
	opens(10, 35)
	send(t, s, messages("a", 5))
	change(t, s, move(id(1), 1, 12, 37))
	s = both(s, reopen, func(s *Store) {
		h, _ := s.Head("a")
		if r := only(t, s, id(1), 1); r.Beyond != 25 || r.Accepted(h) != 40 || r.Pending(h) != 3 {
			t.Fatalf("%+v", r)
		}
		account(t, s)
	})
	opens(4, 4) // and now the reader is restored to before all that
	h, _ := s.Head("a")
	if r := only(t, s, id(1), 1); r.Beyond != 0 || r.Accepted(h) != 15 || r.Pending(h) != 11 {
		t.Fatalf("%+v", r)
	}
	change(t, s, end(id(1), 1), add(id(1), "n", 2, StartHead))
	c := move(id(1), 2, 12, 7) // the row was lost with the copy, and made anew too far ahead
	c.Move.Opens = true
	change(t, s, c)
	if r := only(t, s, id(1), 2); r.Start != 12 || r.Position != 12 || r.Pending(h) != 3 || r.Accepted(h) != 10 {
		t.Fatalf("%+v", r)
	}
}

func TestSkips(t *testing.T) {
	s, reopen := newStore(t)
	send(t, s, messages("a", 100))
	mine := func(from, to uint64, reason uint8) SkipRange {
		return SkipRange{Store: id(1), Channel: "a", Join: 1, From: from, To: to, Reason: reason}
	}
	all := SkipRange{Channel: "a", From: 15, To: 18, Reason: 2}
	other := SkipRange{Store: id(2), Channel: "a", Join: 1, From: 10, To: 60, Reason: 1}
	do(t, s, Tx{Skips: []SkipRange{mine(10, 12, 1), mine(13, 14, 1), other, all}})
	do(t, s, Tx{Skips: []SkipRange{mine(15, 15, 3), mine(15, 16, 3), mine(30, 40, 1), mine(32, 35, 1)}})
	get := func(s *Store, from, to uint64) []SkipRange {
		t.Helper()
		got, err := s.Skips("a", id(1), 1, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	both(s, reopen, func(s *Store) {
		for _, c := range []struct {
			from, to uint64
			want     []SkipRange
		}{
			{1, 100, []SkipRange{mine(10, 14, 1), all, mine(15, 16, 3), mine(30, 40, 1)}},
			{1, 9, nil},
			{14, 14, []SkipRange{mine(10, 14, 1)}},
			{17, 29, []SkipRange{all}},
			{40, 1 << 63, []SkipRange{mine(30, 40, 1)}},
			{61, 100, nil},
		} {
			got := get(s, c.from, c.to)
			if len(got) != len(c.want) {
				t.Fatalf("%d to %d: %v, want %v", c.from, c.to, got, c.want)
			}
			for _, w := range c.want {
				found := false
				for _, g := range got {
					found = found || g == w
				}
				if !found {
					t.Fatalf("%d to %d: %v, want %v", c.from, c.to, got, c.want)
				}
			}
		}
	})
	if got, err := s.Skips("unknown", id(1), 1, 1, 9); got != nil || err != nil {
		t.Fatal(got, err)
	}
}

// TestAReplayStartsAtTheOldest: for a store or a node that is on record. What was purged for it stays so.
func TestAReplayStartsAtTheOldest(t *testing.T) {
	s, reopen := newStore(t)
	add := func(store int, node string, join uint64, replay bool) {
		do(t, s, Tx{Readers: []ReaderChange{{Add: &AddReader{Store: id(store), Node: node, Channel: "a", Join: join, Start: StartHead, Replay: replay}}}})
	}
	send(t, s, messages("a", 2))
	add(1, "bob", 1, false)
	send(t, s, messages("a", 2))
	do(t, s, Tx{Skips: []SkipRange{{Store: id(1), Channel: "a", Join: 1, From: 3, To: 3, Reason: 2}, {Store: id(1), Channel: "a", Join: 1, From: 4, To: 4, Reason: 3}}})
	add(1, "bob", 2, true)
	add(2, "carol", 1, true) // nobody knows her
	add(3, "bob", 7, true)   // and bob with another database
	s = both(s, reopen, func(s *Store) {
		head, _ := s.Head("a")
		for _, r := range s.Readers() {
			want := map[readerKey]uint64{{id(1), "a", 1}: 0, {id(1), "a", 2}: 0, {id(2), "a", 1}: 0, {id(3), "a", 7}: 4}[readerKey{r.Store, r.Channel, r.Join}]
			if r.Pending(head) != want || r.Accepted(head) != r.Totals.Sum()+r.Removed+r.Pending(head) {
				t.Errorf("%+v has %d pending, want %d", r, r.Pending(head), want)
			}
			if r.Join == 2 && r.Start != 0 || r.Join == 1 && r.Store == id(1) && r.Removed != 2 {
				t.Errorf("%+v", r)
			}
		}
		skips, err := s.Skips("a", id(3), 7, 1, 9)
		if err != nil || len(skips) != 1 || skips[0].From != 3 || skips[0].Reason != 2 {
			t.Errorf("skips %+v, %v", skips, err)
		}
	})
}
