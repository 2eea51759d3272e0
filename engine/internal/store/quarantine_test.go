package store

import (
	"bytes"
	"testing"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
)

// flip damages the page in the middle of a batch whose body is full of a letter.
func flip(t testing.TB, d *crashvfs.Disk, letter byte) {
	t.Helper()
	at := bytes.Index(d.ReadFile("/db"), bytes.Repeat([]byte{letter}, 8000))
	if at < 0 {
		t.Fatal("no such batch")
	}
	d.FlipBit("/db", int64(at+4000)*8)
}

// TestDamagedBatchesAreKept has pruning, of delivered messages and of a full file, come upon damaged batches.
func TestDamagedBatchesAreKept(t *testing.T) {
	var found []uint64
	d := crashvfs.New(1)
	defer d.Close()
	o := onDisk(d)
	o.TailBytes, o.BatchBytes = 1, 1
	o.OnDamage = func(x Damage) { found = append(found, x.First) }
	s := mustOpen(t, o)
	change(t, s, add(id(1), "n", 1, StartHead))
	for i := range 10 {
		send(t, s, Segment{Channel: "a", Count: 2, Body: bytes.Repeat([]byte{byte('a' + i)}, 40_000)})
	}
	change(t, s, move(id(1), 1, 18, 18))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, d, 'c')
	flip(t, d, 'i')
	s = mustOpen(t, o)
	if n, err := s.Prune(100, s.Now()); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	if len(found) != 2 || found[0] != 5 || found[1] != 17 {
		t.Fatalf("found damage at %v", found)
	}
	for range 2 {
		// The last that is damaged is not below the floor: it is still there for whoever reads from the start.
		if h, _ := s.Head("a"); h.Floor != 16 || h.Last != 20 || h.Total != 20 {
			t.Fatal(h)
		}
		for seq, want := range map[uint64]uint64{6: 16, 16: 16, 17: 17, 19: 19} {
			if n, err := s.Upto("a", seq); n != want || err != nil {
				t.Fatalf("up to %d: %d, %v", seq, n, err)
			}
		}
		if n, err := s.Prune(100, s.Now()); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, o)
	}
	account(t, s)
	change(t, s, move(id(1), 1, 20, 20))
	if n, err := s.Prune(100, s.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, o)
	if h, _ := s.Head("a"); h.Floor != 20 || h.Last != 20 || h.Total != 20 {
		t.Fatal(h)
	}
	if len(found) != 2 {
		t.Errorf("found damage at %v", found)
	}
	if list, err := s.Quarantine(); err != nil || len(list) != 2 || list[0].Channel != "a" || list[0].First != 5 || list[0].Last != 6 || list[1].First != 17 || list[1].Last != 18 || list[0].Cause == "" || list[0].Found == 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if rows, err := pragma(s.w.raw, "SELECT count(*) FROM batches WHERE first_seq IN (SELECT first_seq FROM quarantine)"); rows != 2 || err != nil {
		t.Errorf("%d damaged batches are kept, %v", rows, err)
	}
}

// TestADamagedPageHidesNoBatch flips a bit in a page that holds the batches themselves: what of it is known without that page is told.
func TestADamagedPageHidesNoBatch(t *testing.T) {
	d := crashvfs.New(1)
	defer d.Close()
	o := onDisk(d)
	o.TailBytes, o.BatchBytes = 1, 1
	s := mustOpen(t, o)
	change(t, s, add(id(1), "n", 1, StartHead))
	send(t, s, Segment{Channel: "other", Count: 1, Body: []byte("x")})
	for i := range 10 {
		send(t, s, Segment{Channel: "a", Count: 3, Body: bytes.Repeat([]byte{byte('k' + i)}, 9000)})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, d, 'p')
	s = mustOpen(t, o)
	do(t, s, Tx{Must: true, Damaged: []Damage{{First: 17, Cause: "a bad page"}}})
	list, err := s.Quarantine()
	if err != nil || len(list) != 1 || list[0].Channel != "a" || list[0].First != 17 || list[0].Cause != "a bad page" {
		t.Fatalf("%+v, %v", list, err)
	}
	if list[0].Last != 0 {
		t.Errorf("the page can be read: %+v", list[0])
	}
}
