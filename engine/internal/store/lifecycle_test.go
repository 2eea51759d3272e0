package store

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/ncruces/go-sqlite3"
)

func TestCloseWritesWhatIsQueued(t *testing.T) {
	s, reopen := newStore(t)
	gate := make(chan struct{})
	s.Submit(&Tx{Take: func() []Segment { <-gate; return nil }})
	outcome := make(chan error, 9)
	for range 3 {
		s.Submit(&Tx{Segments: []Segment{messages("a", 1)}, Done: func(err error) { outcome <- err }})
	}
	close(gate)
	s = reopen()
	for range 3 {
		if err := <-outcome; err != nil {
			t.Fatal(err)
		}
	}
	if h, _ := s.Head("a"); h.Last != 3 {
		t.Fatal(h)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal("closed twice:", err)
	}
	s.Abort()
	if err := s.Do(&Tx{Segments: []Segment{messages("a", 1)}}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if _, err := s.Read("a", 0, 1); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestAbortWritesNothingMore(t *testing.T) {
	d := crashvfs.New(1)
	defer d.Close()
	s := mustOpen(t, onDisk(d))
	send(t, s, messages("a", 1))
	gate, taken := make(chan struct{}), make(chan struct{})
	s.Submit(&Tx{Take: func() []Segment { close(taken); <-gate; return nil }})
	<-taken
	outcome := make(chan error, 1)
	s.Submit(&Tx{Segments: []Segment{messages("a", 1)}, Done: func(err error) { outcome <- err }})
	ended := make(chan struct{})
	go func() { s.Abort(); close(ended) }()
	within(t, "abort", s.abort.Load)
	close(gate)
	<-ended
	if err := <-outcome; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	ops := d.Ops()
	s = mustOpen(t, onDisk(d))
	if h, _ := s.Head("a"); h.Last != 1 || s.WasClean() {
		t.Fatal(h, s.WasClean(), ops)
	}
}

func TestFailure(t *testing.T) {
	for name, op := range map[string]crashvfs.Op{"write": crashvfs.Write, "sync": crashvfs.Sync} {
		t.Run(name, func(t *testing.T) {
			d := crashvfs.New(1)
			defer d.Close()
			s := mustOpen(t, onDisk(d))
			send(t, s, messages("a", 1))
			select {
			case <-s.Failed():
				t.Fatal("failed already")
			default:
			}
			d.FailNext(op, sqlite3.IOERR_FSYNC)
			if err := s.Do(&Tx{Segments: []Segment{messages("a", 1)}}); !errors.Is(err, ErrFailed) || !errors.Is(err, sqlite3.IOERR) {
				t.Fatal(err)
			}
			<-s.Failed()
			ops := d.Ops()
			if err := s.Do(&Tx{Must: true}); !errors.Is(err, ErrFailed) || !errors.Is(s.Err(), ErrFailed) {
				t.Fatal(err)
			}
			if _, err := s.Read("b", 0, 1); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Get("n", nil); !errors.Is(err, ErrFailed) {
				t.Fatal(err)
			}
			if h, _ := s.Head("a"); h.Last != 1 {
				t.Fatal("a head past what is certain", h)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if d.Ops() != ops {
				t.Fatalf("%d operations after the failure", d.Ops()-ops)
			}
		})
	}
}

func TestAFailedCheckpointFailsTheStore(t *testing.T) {
	d := crashvfs.New(1)
	defer d.Close()
	o := onDisk(d)
	o.checkpointPages = 1
	s := mustOpen(t, o)
	for i := 0; ; i++ { // until the failing sync is one of a checkpoint
		d.FailNext(crashvfs.Sync, nil)
		if i%2 == 1 {
			break
		}
		send(t, s, messages("a", 1))
	}
	acked := make(chan struct{})
	s.Submit(&Tx{Segments: []Segment{messages("a", 1)}, Done: func(err error) {
		if err == nil {
			d.FailNext(crashvfs.Sync, sqlite3.IOERR_FSYNC) // the next sync is the checkpoint's
			close(acked)
		}
	}})
	<-acked
	within(t, "failure", func() bool { return s.Err() != nil })
}

func TestClock(t *testing.T) {
	elapsed := time.Duration(0)
	d := crashvfs.New(1)
	o := onDisk(d)
	o.Elapsed = func() time.Duration { return elapsed }
	s := mustOpen(t, o)
	if s.Now() != 0 {
		t.Fatal(s.Now())
	}
	elapsed = 5 * time.Second
	send(t, s, messages("a", 1))
	elapsed = 3 * time.Second // a clock that breaks its word
	if s.Now() != 5000 {
		t.Fatal(s.Now())
	}
	elapsed = 7 * time.Second
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	elapsed += 24 * time.Hour // down
	s = mustOpen(t, o)
	if s.Now() != 7000 {
		t.Fatal("after a shutdown in order:", s.Now())
	}
	elapsed += 2500 * time.Millisecond
	send(t, s, messages("a", 1))
	d = d.PowerCut()
	s.Abort()
	o.VFS = d.Name()
	elapsed = 0
	s = mustOpen(t, o)
	if now := s.Now(); now < 9500 || now > 10500 {
		t.Fatal("after a crash:", now)
	}
	ops := d.Ops()
	send(t, s, messages("a", 1))
	first := d.Ops() - ops
	ops = d.Ops()
	send(t, s, messages("a", 1))
	if second := d.Ops() - ops; second >= first {
		t.Fatalf("the clock's row is written with every commit: %d operations, then %d", first, second)
	}
}

func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := crashvfs.New(1)
		defer d.Close()
		s, err := Open(onDisk(d))
		if err != nil {
			t.Fatal(err)
		}
		start := s.Now()
		send(t, s, messages("a", 3))
		time.Sleep(90 * time.Second)
		if got := s.Now() - start; got != 90_000 {
			t.Fatal(got)
		}
		if n := len(readAll(t, s, "a", 0)); n != 1 {
			t.Fatal(n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
