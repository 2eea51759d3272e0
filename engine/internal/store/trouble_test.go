package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
)

// troubles collects what a store's condition becomes.
type troubles struct {
	s    *Store
	seen []Trouble
}

// watched opens a store on a disk whose changes of condition are collected; it must be used in a bubble.
func watched(t *testing.T, d *crashvfs.Disk, change func(*Options)) *troubles {
	t.Helper()
	w := &troubles{}
	o := onDisk(d)
	o.OnCondition = func() { w.seen = append(w.seen, w.s.Condition().Trouble) }
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	w.s = s
	synctest.Wait()
	return w
}

// became demands that the condition has changed in this way since the last call.
func (w *troubles) became(t *testing.T, want ...Trouble) {
	t.Helper()
	synctest.Wait()
	got := w.seen
	w.seen = nil
	for len(got) < len(want) {
		got = append(got, 255)
	}
	for i := range got {
		if i >= len(want) || got[i] != want[i] {
			t.Fatalf("the condition became %v, want %v", got, want)
		}
	}
	c := w.s.Condition()
	if len(want) > 0 && (c.Trouble != want[len(want)-1] || (c.Trouble != NoTrouble) != (c.Reason != "")) {
		t.Fatalf("%+v", c)
	}
}

// TestTroubleOfAFullDisk begins when something is refused, and ends by itself when there is room.
func TestTroubleOfAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := crashvfs.New(1)
		defer d.Close()
		w := watched(t, d, nil)
		change(t, w.s, add(id(1), "n", 1, StartHead))
		send(t, w.s, messages("a", 3))
		w.became(t)
		d.SetFull(true)
		fillUp(t, w.s)
		w.became(t, DiskFull)
		if c := w.s.Condition(); !strings.Contains(c.Reason, "the disk of /db") {
			t.Fatal(c)
		}
		change(t, w.s, move(id(1), 1, 1, 1)) // positions go on, and end no trouble
		time.Sleep(time.Hour)
		w.became(t)
		if c := w.s.Condition(); c.For < time.Hour {
			t.Fatal(c)
		}
		d.SetFull(false)
		time.Sleep(2 * retryLast) // nothing is submitted
		w.became(t, NoTrouble)
		send(t, w.s, messages("a", 3))
		w.became(t)
		if err := w.s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTroubleOfTheLimit names the limit, and ends when the readers have caught up.
func TestTroubleOfTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := crashvfs.New(1)
		defer d.Close()
		w := watched(t, d, func(o *Options) { o.MaxSize = 100 * pageSize })
		change(t, w.s, add(id(1), "n", 1, StartHead))
		fillUp(t, w.s)
		w.became(t, LimitReached)
		var full *FullError
		err := w.s.Do(&Tx{Segments: []Segment{{Channel: "a", Count: 1, Body: make([]byte, 60_000)}}})
		if c := w.s.Condition(); !strings.Contains(c.Reason, "storage.max_size") || !errors.As(err, &full) || full.Limit != 100*pageSize || full.Trouble != LimitReached || full.Reason != c.Reason {
			t.Fatal(c, err)
		}
		time.Sleep(time.Hour)
		w.became(t)
		head, _ := w.s.Head("a")
		change(t, w.s, move(id(1), 1, head.Last, head.Last))
		time.Sleep(2 * retryLast)
		w.became(t, NoTrouble)
		if err := w.s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTroubleOfAReadOnlyDisk refuses sends and keeps what must be written until the disk can be written again.
func TestTroubleOfAReadOnlyDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := crashvfs.New(1)
		defer d.Close()
		w := watched(t, d, nil)
		send(t, w.s, messages("a", 3))
		d.SetReadOnly(true)
		time.Sleep(time.Minute)
		w.became(t) // nobody wanted anything
		err := w.s.Do(&Tx{Segments: []Segment{messages("a", 1)}})
		var full *FullError
		if !errors.Is(err, ErrFull) || !errors.Is(err, ErrNotWritable) || !errors.As(err, &full) || full.Trouble != ReadOnly || !strings.Contains(err.Error(), "/db cannot be written") {
			t.Fatal(err)
		}
		w.became(t, ReadOnly)
		time.Sleep(time.Hour) // it is tried in vain
		w.became(t)
		outcome := make(chan error, 1)
		w.s.Submit(&Tx{Must: true, Readers: []ReaderChange{add(id(1), "n", 1, StartHead)}, Done: func(err error) { outcome <- err }})
		time.Sleep(time.Hour)
		w.became(t)
		select {
		case err := <-outcome:
			t.Fatal("a position was settled on a read-only disk:", err)
		default:
		}
		d.SetReadOnly(false)
		time.Sleep(2 * retryLast)
		if err := <-outcome; err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryLast)
		w.became(t, NoTrouble)
		send(t, w.s, messages("a", 1))
		account(t, w.s)
		if h, _ := w.s.Head("a"); h.Total != 4 || h.Last != 4 {
			t.Fatal(h)
		}
		if err := w.s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTroubleOfABrokenDisk does not end.
func TestTroubleOfABrokenDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := crashvfs.New(1)
		defer d.Close()
		w := watched(t, d, nil)
		send(t, w.s, messages("a", 3))
		d.FailNext(crashvfs.Sync, crashvfs.ErrSync)
		if err := w.s.Do(&Tx{Segments: []Segment{messages("a", 1)}}); !errors.Is(err, ErrFailed) {
			t.Fatal(err)
		}
		w.became(t, Broken)
		time.Sleep(time.Hour)
		w.became(t)
		if c := w.s.Condition(); c.Reason != w.s.Err().Error() {
			t.Fatal(c)
		}
		w.s.Abort()
	})
}

// refusing is a file that the system does not let be written.
type refusing struct {
	vfs.File
	err error
}

func (f refusing) WriteAt([]byte, int64) (int, error) {
	return 0, f.err
}

// TestRefusedWrites holds what SQLite is told of writes that the system refuses, and that nothing else passes for that.
func TestRefusedWrites(t *testing.T) {
	for err, want := range map[error]sqlite3.ErrorCode{syscall.ENOSPC: sqlite3.FULL, syscall.EDQUOT: sqlite3.FULL, syscall.EROFS: sqlite3.READONLY, syscall.EPERM: sqlite3.READONLY, syscall.EACCES: sqlite3.READONLY,
		syscall.EIO: 0, io.ErrShortWrite: 0} {
		file := refusing{err: &fs.PathError{Op: "write", Path: "x", Err: err}}
		told := file.err
		if want != 0 {
			told = vfs.SystemError(told, want)
		}
		if _, got := (diskFile{file}).WriteAt(nil, 0); got != told {
			t.Errorf("of %v SQLite is told %#v, want %#v", err, got, told)
		}
	}
}

// TestAFileThatMustNotBeWritten makes the write-ahead log of an open store immutable, as far as this machine can.
func TestAFileThatMustNotBeWritten(t *testing.T) {
	s := fileStore(t, func(*Options) {})
	send(t, s, messages("a", 3))
	log := s.files.path + "-wal"
	if err := immutable(log, true); err != nil {
		t.Skipf("a file cannot be made immutable here (it takes root and a file system that can): %v", err)
	}
	t.Cleanup(func() {
		if err := immutable(log, false); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	if err := s.Do(&Tx{Segments: []Segment{messages("a", 1)}}); !errors.Is(err, ErrNotWritable) || !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	within(t, "the trouble is known", func() bool { return s.Condition().Trouble == ReadOnly })
	outcome := make(chan error, 1)
	s.Submit(&Tx{Must: true, Readers: []ReaderChange{add(id(1), "n", 1, StartHead)}, Done: func(err error) { outcome <- err }})
	if err := immutable(log, false); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	within(t, "the trouble is over", func() bool { return s.Condition().Trouble == NoTrouble })
	send(t, s, messages("a", 1))
	account(t, s)
	if bad, err := pragma(s.w.raw, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"); bad != 0 || err != nil {
		t.Fatal(bad, err)
	}
}
