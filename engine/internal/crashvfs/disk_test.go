package crashvfs

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

const (
	database = vfs.OPEN_READWRITE | vfs.OPEN_CREATE | vfs.OPEN_MAIN_DB
	journal  = vfs.OPEN_READWRITE | vfs.OPEN_CREATE | vfs.OPEN_WAL
)

func open(t *testing.T, d *Disk, name string, flags vfs.OpenFlag) vfs.File {
	t.Helper()
	f, _, err := vfs.Find(d.Name()).Open(name, flags)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, f vfs.File, off int64, b []byte) {
	t.Helper()
	if n, err := f.WriteAt(b, off); n != len(b) || err != nil {
		t.Fatal(n, err)
	}
}

func syncFile(t *testing.T, f vfs.File) {
	t.Helper()
	if err := f.Sync(vfs.SYNC_FULL); err != nil {
		t.Fatal(err)
	}
}

// synced is a disk with a durable name and content.
func synced(t *testing.T, seed uint64, content []byte) (*Disk, vfs.File) {
	d := New(seed)
	f := open(t, d, "/f", journal)
	write(t, f, 0, content)
	syncFile(t, f)
	return d, f
}

func TestAPowerCutLosesOnlyWhatWasNotSynced(t *testing.T) {
	before, after := bytes.Repeat([]byte{'-'}, 4*sector), bytes.Repeat([]byte{'+'}, 4*sector)
	kept, lost, torn := 0, 0, 0
	for seed := range uint64(300) {
		d, f := synced(t, seed, before)
		write(t, f, 100, after)
		next := d.PowerCut()
		got := next.ReadFile("/f")
		if !bytes.Equal(got[:100], before[:100]) {
			t.Fatal("synced bytes changed")
		}
		switch {
		case bytes.Equal(got, before):
			lost++
		case bytes.Equal(got, append(bytes.Clone(before[:100]), after...)):
			kept++
		default:
			torn++
			for i := 101; i < min(len(got), len(before)); i++ {
				if got[i] != got[i-1] && i%sector != 0 {
					t.Fatalf("torn at %d", i)
				}
			}
		}
		again := next.PowerCut()
		if !bytes.Equal(again.ReadFile("/f"), got) {
			t.Fatal("what one cut left, another took")
		}
		for _, d := range []*Disk{d, next, again} {
			d.Close()
		}
	}
	if kept == 0 || lost == 0 || torn == 0 {
		t.Fatal(kept, lost, torn)
	}
}

func TestTheEndOfTheProcessKeepsEverything(t *testing.T) {
	d, f := synced(t, 1, []byte("old"))
	write(t, f, 0, []byte("newer"))
	next := d.Restart()
	if got := next.ReadFile("/f"); string(got) != "newer" {
		t.Fatalf("%s", got)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Fatal("the dead write")
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil {
		t.Fatal("the dead read")
	}
	// It is still not synced.
	for range 100 {
		var after *Disk
		after, next = next.PowerCut(), next.Restart()
		if string(after.ReadFile("/f")) == "old" {
			return
		}
	}
	t.Fatal("a restart synced the file")
}

func TestNamesAreDurableOnlyAfterTheirFolder(t *testing.T) {
	survives := func(prepare func(*Disk)) (all bool) {
		all = true
		for seed := range uint64(20) {
			d := New(seed)
			prepare(d)
			next := d.PowerCut()
			_, ok := next.Files()["/db"]
			all = all && ok
			next.Close()
			d.Close()
		}
		return all
	}
	if survives(func(d *Disk) { syncFile(t, open(t, d, "/db", database)) }) {
		t.Error("the sync of a database syncs its folder")
	}
	if !survives(func(d *Disk) { open(t, d, "/db", database); syncFile(t, open(t, d, "/wal", journal)) }) {
		t.Error("the first sync of a new journal does not sync the folder")
	}
	if !survives(func(d *Disk) {
		open(t, d, "/db", database)
		if err := vfs.Find(d.Name()).(interface{ SyncDir(string) error }).SyncDir("/db"); err != nil {
			t.Fatal(err)
		}
	}) {
		t.Error("SyncDir does nothing")
	}
}

func TestDelete(t *testing.T) {
	d, _ := synced(t, 1, []byte("x"))
	v := vfs.Find(d.Name())
	if err := v.Delete("/f", true); err != nil {
		t.Fatal(err)
	}
	if err := v.Delete("/f", true); !errors.Is(err, sqlite3.IOERR_DELETE_NOENT) {
		t.Fatal(err)
	}
	if there, err := v.Access("/f", vfs.ACCESS_EXISTS); there || err != nil {
		t.Fatal(there, err)
	}
	if next := d.PowerCut(); len(next.Files()) != 0 {
		t.Fatal(next.Files())
	}
}

func TestCutAfter(t *testing.T) {
	found := map[string]bool{}
	for seed := range uint64(100) {
		d, f := synced(t, seed, []byte("old"))
		d.CutAfter(1)
		write(t, f, 0, []byte("one"))
		if _, err := f.WriteAt([]byte("two"), 0); err == nil || !d.Dead() {
			t.Fatal("not cut")
		}
		if err := f.Sync(vfs.SYNC_FULL); err == nil {
			t.Fatal("it lives on")
		}
		found[string(d.PowerCut().ReadFile("/f"))] = true
	}
	if len(found) != 3 || !found["old"] || !found["one"] || !found["two"] {
		t.Fatal(found)
	}
}

// TestNothingComesToLightLater holds that what a process found after a restart is all there is.
func TestNothingComesToLightLater(t *testing.T) {
	found := map[string]bool{}
	for seed := range uint64(100) {
		d, f := synced(t, seed, []byte("old"))
		d.CutAfter(0)
		if _, err := f.WriteAt([]byte("new"), 0); err == nil {
			t.Fatal("not cut")
		}
		next := d.Restart()
		seen := string(next.ReadFile("/f"))
		found[seen] = true
		if got := string(next.PowerCut().ReadFile("/f")); got != seen && got != "old" {
			t.Fatalf("the process found %q, and then there was %q", seen, got)
		}
	}
	if len(found) != 2 {
		t.Fatal(found)
	}
}

func TestFailNext(t *testing.T) {
	d, f := synced(t, 1, []byte("old"))
	d.FailNext(Write, sqlite3.IOERR_WRITE)
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, sqlite3.IOERR_WRITE) {
		t.Fatal(err)
	}
	write(t, f, 0, []byte("new"))
	d.FailNext(Sync, sqlite3.IOERR_FSYNC)
	if err := f.Sync(vfs.SYNC_FULL); !errors.Is(err, sqlite3.IOERR_FSYNC) {
		t.Fatal(err)
	}
	syncFile(t, f) // it pretends
	if got := d.PowerCut().ReadFile("/f"); string(got) != "old" {
		t.Fatalf("a sync after a failed one made %q durable", got)
	}
}

func TestFull(t *testing.T) {
	d, f := synced(t, 1, []byte("12345"))
	v := vfs.Find(d.Name()).(access)
	if err := v.Allocate("/f", 8); err != nil {
		t.Fatal(err)
	}
	d.SetFull(true)
	write(t, f, 0, []byte("abcde"))
	write(t, f, 5, []byte("fgh"))
	if _, err := f.WriteAt([]byte("hi"), 7); !errors.Is(err, sqlite3.FULL) {
		t.Fatal(err)
	}
	if err := v.Allocate("/f", 9); !errors.Is(err, sqlite3.FULL) {
		t.Fatal(err)
	}
	d.SetFull(false)
	write(t, f, 7, []byte("hi"))
}

func TestSnapshot(t *testing.T) {
	d, f := synced(t, 1, []byte("one"))
	s := d.Snapshot()
	write(t, f, 0, []byte("two"))
	next := d.Restore(s)
	if got := next.PowerCut().ReadFile("/f"); string(got) != "one" {
		t.Fatalf("%s", got)
	}
}

func TestFlipBit(t *testing.T) {
	d, _ := synced(t, 1, []byte("a"))
	if !d.FlipBit("/f", 1) || d.FlipBit("/f", 8) || d.FlipBit("/g", 0) || d.FlipBit("/f", -1) {
		t.Fatal("wrong bits")
	}
	if got := d.PowerCut().ReadFile("/f"); string(got) != "c" {
		t.Fatalf("%s", got)
	}
}

func TestLocks(t *testing.T) {
	d := New(1)
	a, b := open(t, d, "/db", database), open(t, d, "/db", database)
	for _, step := range []struct {
		f    vfs.File
		lock vfs.LockLevel
		ok   bool
	}{
		{a, vfs.LOCK_SHARED, true}, {b, vfs.LOCK_SHARED, true}, {a, vfs.LOCK_RESERVED, true}, {b, vfs.LOCK_RESERVED, false}, {a, vfs.LOCK_EXCLUSIVE, false},
	} {
		if err := step.f.Lock(step.lock); (err == nil) != step.ok {
			t.Fatal(step.lock, err)
		}
	}
	if held, err := b.CheckReservedLock(); !held || err != nil {
		t.Fatal(held, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Lock(vfs.LOCK_EXCLUSIVE); err != nil {
		t.Fatal(err)
	}
}

func TestReadsAreShortAtTheEnd(t *testing.T) {
	_, f := synced(t, 1, []byte("abc"))
	p := make([]byte, 4)
	if n, err := f.ReadAt(p, 1); n != 2 || !errors.Is(err, io.EOF) {
		t.Fatal(n, err)
	}
	if n, err := f.ReadAt(p, 9); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatal(n, err)
	}
	if err := f.Truncate(1); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Size(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

func TestChanceFollowsTheSeed(t *testing.T) {
	cut := func() []byte {
		d, f := synced(t, 42, make([]byte, 10*sector))
		write(t, f, 0, bytes.Repeat([]byte{1}, 10*sector))
		return d.PowerCut().ReadFile("/f")
	}
	if !bytes.Equal(cut(), cut()) {
		t.Fatal("two runs differ")
	}
}
