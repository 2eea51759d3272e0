package store

import (
	"errors"
	"reflect"
	"testing"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/ncruces/go-sqlite3"
)

func TestBatches(t *testing.T) {
	limited := func(o *Options) { o.BatchMessages, o.BatchBytes = 4, 6 }
	per := func(o *Options) { o.PerChannel = true }
	big := messages("a", 1)
	big.Body = make([]byte, 100)
	for _, c := range []struct {
		name     string
		option   func(*Options)
		segments []Segment
		a, b     string
	}{
		{"joined", func(*Options) {}, []Segment{messages("a", 2), messages("a", 3)}, "a:1-5<0+0 ", ""},
		{"a change of channel starts the next", func(*Options) {}, []Segment{messages("a", 2), messages("b", 1), messages("a", 1)}, "a:1-2<0+0 a:4-4<2+2 ", "b:3-3<0+0 "},
		{"gathered per channel", per, []Segment{messages("a", 2), messages("b", 1), messages("a", 1)}, "a:1-3<0+0 ", "b:4-4<0+0 "},
		{"up to the messages", limited, []Segment{messages("a", 2), messages("a", 2), messages("a", 1)}, "a:1-4<0+0 a:5-5<4+4 ", ""},
		{"up to the bytes", limited, []Segment{messages("a", 1), big, messages("a", 1)}, "a:1-1<0+0 a:2-2<1+1 a:3-3<2+2 ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, reopen := newStore(t, c.option)
			do(t, s, Tx{Segments: c.segments})
			both(s, reopen, func(s *Store) { // from memory, and from disk
				if a, b := spans(readAll(t, s, "a", 0)), spans(readAll(t, s, "b", 0)); a != c.a || b != c.b {
					t.Fatalf("got %s and %s, want %s and %s", a, b, c.a, c.b)
				}
			})
		})
	}
}

func TestSegmentsLearnTheirSequence(t *testing.T) {
	s, _ := newStore(t, func(o *Options) { o.PerChannel = true })
	taken := []Segment{messages("b", 2)}
	tx := Tx{Segments: []Segment{messages("a", 1), messages("b", 1), messages("a", 1)}, Take: func() []Segment { return taken }}
	do(t, s, tx)
	if a1, b1, a2, b2 := tx.Segments[0].First, tx.Segments[1].First, tx.Segments[2].First, taken[0].First; a1 != 1 || a2 != 2 || b1 != 3 || b2 != 4 {
		t.Fatal(a1, b1, a2, b2)
	}
}

func TestBatchesHoldTheBodiesInOrder(t *testing.T) {
	s, reopen := newStore(t)
	send(t, s, Segment{Channel: "a", Count: 1, Body: []byte("one")}, Segment{Channel: "a", Count: 1, Body: []byte("two")})
	both(s, reopen, func(s *Store) {
		if got := string(body(readAll(t, s, "a", 0)[0].Blob)); got != "onetwo" {
			t.Fatal(got)
		}
	})
}

func TestExpiry(t *testing.T) {
	s, reopen := newStore(t)
	seg := func(earliest, latest int64) Segment {
		m := messages("a", 1)
		m.Earliest, m.Latest = earliest, latest
		return m
	}
	send(t, s, seg(50, 60), seg(10, 70))
	send(t, s, seg(20, 30), seg(0, 0))
	send(t, s, seg(5, 6))
	s = reopen()
	b := readAll(t, s, "a", 0)
	got := [][2]int64{}
	for i := range b {
		got = append(got, [2]int64{b[i].Earliest, b[i].Latest})
	}
	if want := [][2]int64{{10, 70}, {20, 0}, {5, 6}}; !reflect.DeepEqual(got, want) {
		t.Fatal(got)
	}
	expired := func(after, now int64) string {
		b, err := s.Expired(after, now, 10)
		if err != nil {
			t.Fatal(err)
		}
		return spans(b)
	}
	if all, some, none := expired(0, 70), expired(6, 70), expired(6, 69); all != "a:5-5<4+4 a:1-2<0+0 " || some != "a:1-2<0+0 " || none != "" {
		t.Fatal(all, some, none)
	}
}

func TestRead(t *testing.T) {
	for name, tail := range map[string]int{"memory": 1 << 20, "disk": 1} {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore(t, func(o *Options) { o.TailBytes = tail })
			for range 3 {
				send(t, s, messages("a", 2), messages("b", 1))
			}
			blob := len(readAll(t, s, "a", 0)[0].Blob)
			for _, c := range []struct {
				after uint64
				bytes int
				want  string
			}{
				{0, 1 << 20, "a:1-2<0+0 a:4-5<2+2 a:7-8<5+4 "},
				{0, 0, "a:1-2<0+0 "},
				{0, 2 * blob, "a:1-2<0+0 a:4-5<2+2 "},
				{1, 0, "a:1-2<0+0 "}, // within a batch
				{2, 0, "a:4-5<2+2 "},
				{3, 0, "a:4-5<2+2 "}, // another channel's sequence
				{5, 0, "a:7-8<5+4 "},
				{8, 0, ""},
				{99, 0, ""},
			} {
				got, err := s.Read("a", c.after, c.bytes)
				if err != nil || spans(got) != c.want {
					t.Errorf("after %d, %d bytes: %s, %v; want %s", c.after, c.bytes, spans(got), err, c.want)
				}
			}
			for seq, want := range []uint64{0, 1, 2, 2, 3, 4, 4, 5, 6, 6} {
				if n, err := s.Upto("a", uint64(seq)); n != want || err != nil {
					t.Errorf("up to %d: %d, %v; want %d", seq, n, err, want)
				}
			}
			for seq, want := range []string{"", "a:1-2<0+0 ", "a:1-2<0+0 ", "b:3-3<0+0 ", "a:4-5<2+2 "} {
				b, ok, err := s.Find(uint64(seq))
				if ok != (want != "") || err != nil || ok && (spans([]Batch{b}) != want || checkPlain(b.Blob) != nil) {
					t.Errorf("find %d: %s, %v, %v; want %s", seq, spans([]Batch{b}), ok, err, want)
				}
			}
			if _, ok, err := s.Find(10); ok || err != nil {
				t.Error(ok, err)
			}
			if b, err := s.Read("unknown", 0, 1); len(b) != 0 || err != nil {
				t.Error(b, err)
			}
		})
	}
}

func TestTailIsBounded(t *testing.T) {
	s, _ := newStore(t, func(o *Options) { o.TailBytes = 1000 })
	for range 100 {
		send(t, s, messages("a", 30), messages("b", 7))
		if n := s.tail.size(); n > 1000 {
			t.Fatalf("%d bytes in memory", n)
		}
	}
	if len(s.tail.order) > 200 {
		t.Fatalf("%d places remembered", len(s.tail.order))
	}
	if n := len(readAll(t, s, "a", 0)); n != 100 {
		t.Fatalf("%d batches", n)
	}
}

func TestRuns(t *testing.T) {
	s, reopen := newStore(t)
	first := s.Run()
	if _, ok := s.LastOf(first); ok || len(s.Runs()) != 0 {
		t.Fatal("a run without batches is recorded")
	}
	send(t, s, messages("a", 3))
	reopen() // a run that writes nothing
	s = reopen()
	third := s.Run()
	send(t, s, messages("b", 1))
	send(t, s, messages("b", 1))
	check := func(s *Store) {
		t.Helper()
		if got, want := s.Runs(), []Run{{first, 1}, {third, 4}}; !reflect.DeepEqual(got, want) {
			t.Fatal(got, want)
		}
		a, ok1 := s.LastOf(first)
		b, ok2 := s.LastOf(third)
		if a != 3 || b != 5 || !ok1 || !ok2 {
			t.Fatal(a, b)
		}
	}
	check(s)
	check(reopen())
	if b := readAll(t, s, "b", 0)[0]; b.Run != third || b.First != 4 {
		t.Fatal(b)
	}
}

func TestOpenMark(t *testing.T) {
	s, reopen := newStore(t)
	open := messages("a", 2)
	open.Open = true
	send(t, s, messages("a", 3))
	do(t, s, Tx{Segments: []Segment{messages("a", 1), open, open}})
	s = reopen()
	if h, _ := s.Head("a"); h.OpenFrom != 5 {
		t.Fatal(h)
	}
	// What comes after the end of a mark in the same Tx begins the next.
	do(t, s, Tx{Closed: []string{"a", "unknown"}, Segments: []Segment{open}})
	if h, _ := s.Head("a"); h.OpenFrom != 9 {
		t.Fatal(h)
	}
	do(t, s, Tx{Closed: []string{"a"}})
	if h, _ := reopen().Head("a"); h.OpenFrom != 0 {
		t.Fatal(h)
	}
}

func TestOnAppendComesBeforeDone(t *testing.T) {
	var order []string
	s, _ := newStore(t, func(o *Options) {
		o.OnAppend = func(b []Batch) { order = append(order, spans(b)) }
	})
	do(t, s, Tx{Segments: []Segment{messages("a", 1)}, Done: func(error) { order = append(order, "done") }})
	do(t, s, Tx{Done: func(error) { order = append(order, "nothing") }})
	if want := []string{"a:1-1<0+0 ", "done", "nothing"}; !reflect.DeepEqual(order, want) {
		t.Fatal(order)
	}
}

func TestInvalid(t *testing.T) {
	s, _ := newStore(t)
	for name, tx := range map[string]Tx{
		"no channel":   {Segments: []Segment{messages("", 1)}},
		"no messages":  {Segments: []Segment{{Channel: "a"}}},
		"too large":    {Segments: []Segment{{Channel: "a", Count: 1, Body: make([]byte, maxBlob+1)}}},
		"large value":  {State: []StateChange{{Namespace: "n", Value: make([]byte, maxBlob+1)}}},
		"large letter": {Progress: []Progress{{Dead: []DeadLetter{{Message: make([]byte, maxBlob+1)}}}}},
		"empty skip":   {Skips: []SkipRange{{Channel: "a", From: 2, To: 1}}},
		"skip from 0":  {Skips: []SkipRange{{Channel: "a", From: 0, To: 1}}},
	} {
		if err := s.Do(&tx); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	send(t, s, messages("a", 1)) // and the store goes on
}

func TestLargestMessage(t *testing.T) {
	s := fileStore(t, func(o *Options) { o.TailBytes = 1 })
	large := Segment{Channel: "a", Count: 1, Body: make([]byte, 65<<20)}
	send(t, s, large)
	if b := readAll(t, s, "a", 0); len(b) != 1 || len(body(b[0].Blob)) != len(large.Body) {
		t.Fatal("not read back")
	}
}

func TestDamagedBatch(t *testing.T) {
	d := crashvfs.New(1)
	o := onDisk(d)
	s := mustOpen(t, o)
	big := Segment{Channel: "a", Count: 1, Body: make([]byte, 200_000)}
	for i := range big.Body {
		big.Body[i] = byte(i / 16384)
	}
	send(t, s, messages("a", 2))
	send(t, s, big)
	send(t, s, messages("a", 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Somewhere in the middle of the big batch's pages.
	file := d.ReadFile("/db")
	at := int64(0)
	for i := range file {
		if i > 16384 && file[i] == 6 && file[i+8000] == 6 {
			at = int64(i) + 4000
			break
		}
	}
	d.FlipBit("/db", at*8)
	s = mustOpen(t, o)
	good, err := s.Read("a", 0, 1<<20)
	if err != nil || spans(good) != "a:1-2<0+0 " {
		t.Fatal(spans(good), err)
	}
	_, err = s.Read("a", 2, 1<<20)
	var damage *CorruptError
	if !errors.As(err, &damage) || damage.Batch.First != 3 || damage.Batch.Last != 3 || !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if !errors.Is(err, sqlite3.IOERR_DATA) {
		t.Fatalf("not found by the page's checksum: %v", err)
	}
	if rest := readAll(t, s, "a", 3); spans(rest) != "a:4-4<3+3 " {
		t.Fatal(spans(rest))
	}
	if _, _, err := s.Find(3); !errors.As(err, &damage) {
		t.Fatal(err)
	}
}

func TestBlobThatFailsItsCheck(t *testing.T) {
	bad := errors.New("bad")
	s, _ := newStore(t, func(o *Options) {
		o.TailBytes = 1
		o.Check = func(b []byte) error {
			if body(b)[0] == 'x' {
				return bad
			}
			return nil
		}
	})
	send(t, s, messages("a", 1))
	send(t, s, Segment{Channel: "a", Count: 2, Body: []byte("x")})
	if b, err := s.Read("a", 0, 1<<20); err != nil || len(b) != 1 {
		t.Fatal(b, err)
	}
	_, err := s.Read("a", 1, 1<<20)
	var damage *CorruptError
	if !errors.As(err, &damage) || damage.Batch.Last != 3 || !errors.Is(err, bad) {
		t.Fatal(err)
	}
}
