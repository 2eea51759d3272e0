package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ranges draws an ascending list without overlap, as the set of its numbers too.
func ranges(t *rapid.T, label string) (list []Range, set map[uint64]bool) {
	set = map[uint64]bool{}
	at := uint64(0)
	for range rapid.IntRange(0, 6).Draw(t, label) {
		from := at + 1 + uint64(rapid.IntRange(0, 5).Draw(t, "gap"))
		to := from + uint64(rapid.IntRange(0, 5).Draw(t, "length"))
		list = append(list, Range{from, to})
		for n := from; n <= to; n++ {
			set[n] = true
		}
		at = to
	}
	return list, set
}

func TestRangesUniteAndAreStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, inA := ranges(t, "a")
		b, inB := ranges(t, "b")
		got := union(slices.Clone(a), slices.Clone(b))
		last := uint64(0)
		for i, r := range got {
			if r.To < r.From || i > 0 && r.From <= last+1 {
				t.Fatalf("%v and %v are %v", a, b, got)
			}
			last = r.To
		}
		for n := range last + 10 {
			in := slices.ContainsFunc(got, func(r Range) bool { return r.From <= n && n <= r.To })
			if in != (inA[n] || inB[n]) {
				t.Fatalf("%v and %v are %v: %d", a, b, got, n)
			}
		}
		stored := appendRanges(nil, got)
		if back := parseRanges(stored); !slices.Equal(back, got) {
			t.Fatalf("%v comes back as %v", got, back)
		}
		cut := stored[:rapid.IntRange(0, len(stored)).Draw(t, "cut")]
		if back := parseRanges(cut); !slices.Equal(back, got[:len(back)]) {
			t.Fatalf("cut: %v of %v", back, got)
		}
	})
}

// arrived is a position that moves to seq, with a batch that ends there.
func arrived(channel string, seq uint64, size int, list ...Range) Progress {
	return Progress{Sender: id(7), Node: "edge", Channel: channel, Join: 1, Run: id(8), Seq: seq, Journal: []Received{
		{Sender: id(7), Node: "edge", Run: id(8), First: list[0].From / 10 * 10, Ranges: list, Wall: int64(seq), Blob: bytes.Repeat([]byte("x"), size)}}}
}

func journal(t *testing.T, s *Store, channel string, from int64) (text string) {
	t.Helper()
	list, err := s.Journal(channel, from, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		text += fmt.Sprintf("%d:%d%v ", r.ID, r.First, r.Ranges)
	}
	return text
}

func TestJournalHoldsEachMessageOnce(t *testing.T) {
	s, reopen := newStore(t)
	do(t, s, Tx{Progress: []Progress{arrived("a", 14, 100, Range{13, 14})}})
	do(t, s, Tx{Progress: []Progress{arrived("a", 19, 100, Range{12, 13}, Range{17, 19}), arrived("b", 22, 3<<20, Range{20, 22})}})
	do(t, s, Tx{Progress: []Progress{arrived("a", 29, 100, Range{20, 29})}})
	both(s, reopen, func(s *Store) {
		if got, want := journal(t, s, "a", 0), "1:10[{12 14} {17 19}] 3:20[{20 29}] "; got != want {
			t.Errorf("journal %s, want %s", got, want)
		}
		if list, err := s.Journal("b", 0, 1); err != nil || len(list) != 1 || len(list[0].Blob) != 3<<20 || list[0].Blob[3<<20-1] != 'x' || list[0].Node != "edge" {
			t.Errorf("a large batch: %d, %v", len(list), err)
		}
		for n, want := range map[uint64]string{1: "3 9", 10: "3 0", 11: "1 5", 16: "1 0", 99: "1 0"} {
			if from, older, err := s.JournalLast("a", n); err != nil || fmt.Sprint(from, older) != want {
				t.Errorf("last %d: %d %d %v, want %s", n, from, older, err, want)
			}
		}
		since, _ := s.JournalSince("a", 15)
		none, _ := s.JournalSince("a", 30)
		at, _ := s.JournalAt("a", id(7), id(8), 27)
		away, _ := s.JournalAt("a", id(7), id(9), 27)
		if since != 3 || none != 0 || at != 3 || away != 0 {
			t.Errorf("since %d, %d; at %d, %d", since, none, at, away)
		}
	})
}

func TestJournalAges(t *testing.T) {
	s, _ := newStore(t)
	for i := range uint64(200) {
		do(t, s, Tx{Progress: []Progress{arrived("a", 10*i+11, 10, Range{10*i + 10, 10*i + 11}), arrived("b", 10*i+11, 10, Range{10*i + 10, 10*i + 11})}})
	}
	if channels, err := s.Journaled(); err != nil || fmt.Sprint(channels) != "[a b]" {
		t.Errorf("%v, %v", channels, err)
	}
	if err := s.ForgetJournal("a", -1); err != nil || journal(t, s, "a", 399) == "" {
		t.Error("nothing is so old", err)
	}
	if err := s.ForgetJournal("a", s.Now()+1000); err != nil || journal(t, s, "a", 0) != "" || journal(t, s, "b", 400) == "" {
		t.Error("all of one channel is so old", err)
	}
}

// The journal gives its room up before anything else does, and nothing waits for it.
func TestJournalMakesRoom(t *testing.T) {
	s, _ := newStore(t, func(o *Options) { o.MaxSize = 8 << 20 })
	for i := range uint64(60) {
		do(t, s, Tx{Must: true, Progress: []Progress{arrived("a", 10*i+11, 300<<10, Range{10*i + 10, 10*i + 11})}})
	}
	if got := journal(t, s, "a", 0); got == "" || got[:2] == "1:" {
		t.Errorf("18 MB in 8: %s", got)
	}
	send(t, s, Segment{Channel: "c", Count: 1, Body: bytes.Repeat([]byte("m"), 5<<20)}) // pending: nobody may prune it
	for i := range uint64(20) {
		do(t, s, Tx{Must: true, Progress: []Progress{arrived("a", 10*i+1011, 2<<20, Range{10*i + 1010, 10*i + 1011})}})
	}
	if p := s.Positions(id(7)); len(p) != 1 || p[0].Seq != 1201 {
		t.Errorf("the position is %+v", p)
	}
}
