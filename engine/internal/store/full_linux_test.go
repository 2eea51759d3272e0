package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of this size.
func smallDisk(t *testing.T, size string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted here (it takes root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// TestAFullDiskIsPruned holds that what is delivered makes room on a full disk too, before a send is refused.
func TestAFullDiskIsPruned(t *testing.T) {
	o := plain(filepath.Join(smallDisk(t, "32m"), "db"))
	o.Reserve = 4 << 20
	s := mustOpen(t, o)
	change(t, s, add(id(1), "n", 1, StartHead))
	for i := range uint64(1000) {
		send(t, s, Segment{Channel: "a", Count: 1, Body: make([]byte, 60_000)})
		change(t, s, move(id(1), 1, i+1, i+1))
	}
	account(t, s)
	fillUp(t, s)
	before, _ := s.Head("a")
	if before.Floor < 1000 || before.Last == before.Floor {
		t.Fatalf("pruned up to %d of %d: not all that was delivered, or what was not", before.Floor, before.Last)
	}
	var full *FullError
	if err := s.Do(&Tx{Segments: []Segment{messages("a", 1000)}}); err != nil && (!errors.As(err, &full) || full.Limit != 0) {
		t.Fatal(err)
	}
	change(t, s, move(id(1), 1, before.Last, before.Last))
	send(t, s, Segment{Channel: "a", Count: 1, Body: make([]byte, 60_000)})
}

// TestReserve fills a real file system.
func TestReserve(t *testing.T) {
	folder := smallDisk(t, "18m")
	var elapsed atomic.Int64 // the writer looks at it too
	o := plain(filepath.Join(folder, "db"))
	o.Reserve = 4 << 20
	o.Elapsed = func() time.Duration { return time.Duration(elapsed.Load()) }
	other := filepath.Join(folder, "other")
	if err := fill(other+"1", 6<<20); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, o)
	change(t, s, add(id(1), "n", 1, StartHead))
	fillUp(t, s)
	// What is left goes to somebody else.
	if err := fill(other, 64<<20); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	head, _ := s.Head("a")
	for i := range 300 {
		p := at(id(1), 4, 4)
		p.Sender = id(i)
		do(t, s, Tx{Must: true, Progress: []Progress{p}, Readers: []ReaderChange{move(id(1), 1, uint64(i), uint64(i))}})
	}
	send := Tx{Segments: []Segment{messages("a", 1)}}
	if _, err := os.Stat(o.Path + ".reserve"); errors.Is(err, os.ErrNotExist) {
		if err := s.Do(&send); !errors.Is(err, ErrFull) {
			t.Fatal("a send took the room that is kept for positions:", err)
		}
	}
	within(t, "the trouble is known", func() bool { return s.Condition().Trouble == DiskFull || s.Condition().Trouble == ReserveUsed })
	s.Abort()
	s = mustOpen(t, o) // a full disk does not keep it from starting
	if _, err := os.Stat(o.Path + ".reserve"); errors.Is(err, os.ErrNotExist) {
		within(t, "the reserve is missed", func() bool { return s.Condition().Trouble == ReserveUsed })
	}
	if n := len(s.AllPositions()); n != 300 {
		t.Fatal(n)
	}
	if h, _ := s.Head("a"); h.Last != head.Last || h.Total != head.Total {
		t.Fatal(h, head)
	}
	if err := errors.Join(os.Remove(other), os.Remove(other+"1")); err != nil {
		t.Fatal(err)
	}
	elapsed.Add(int64(time.Minute))
	within(t, "the trouble is over", func() bool { return s.Condition().Trouble == NoTrouble }) // nothing is submitted
	if err := s.Do(&send); err != nil {
		t.Fatal("there is room again:", err)
	}
	if info, err := os.Stat(o.Path + ".reserve"); err != nil || info.Size() != o.Reserve {
		t.Fatal(info, err)
	}
}

// TestReserveUsed has positions with effects that must be written use what is kept back, which is visible until it is there again.
func TestReserveUsed(t *testing.T) {
	folder := smallDisk(t, "18m")
	o := plain(filepath.Join(folder, "db"))
	o.Reserve = 4 << 20
	other := filepath.Join(folder, "other")
	if err := fill(other+"1", 6<<20); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, o)
	change(t, s, add(id(1), "n", 1, StartHead))
	fillUp(t, s)
	if err := fill(other, 64<<20); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for i := 0; s.Condition().Trouble != ReserveUsed; i++ { // places of more and more senders: the file must grow
		if i > 100_000 {
			t.Fatal("the reserve is never used")
		}
		p := at(id(1), 4, 4)
		p.Sender = id(i)
		do(t, s, Tx{Must: true, Progress: []Progress{p}})
	}
	if c := s.Condition(); !strings.Contains(c.Reason, "storage.reserve") {
		t.Fatal(c)
	}
	if err := errors.Join(os.Remove(other), os.Remove(other+"1")); err != nil {
		t.Fatal(err)
	}
	within(t, "the trouble is over", func() bool { return s.Condition().Trouble == NoTrouble })
	if info, err := os.Stat(o.Path + ".reserve"); err != nil || info.Size() != o.Reserve {
		t.Fatal(info, err)
	}
}
