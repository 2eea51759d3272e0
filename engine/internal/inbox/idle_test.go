package inbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// memoryLog is a store that keeps positions only.
type memoryLog struct {
	Log
	mu        sync.Mutex
	positions map[store.ID]store.Position
	bad       []store.BadBatch
}

func (l *memoryLog) ID() store.ID                        { return store.ID{1} }
func (l *memoryLog) Run() store.ID                       { return store.ID{2} }
func (l *memoryLog) WasClean() bool                      { return true }
func (l *memoryLog) Full() bool                          { return false }
func (l *memoryLog) Attempts(store.ID) []store.AttemptAt { return nil }

func (l *memoryLog) Positions(sender store.ID) []store.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.positions[sender]; ok {
		return []store.Position{p}
	}
	return nil
}

func (l *memoryLog) Offer(tx *store.Tx) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range tx.Progress {
		l.positions[p.Sender] = store.Position{Sender: p.Sender, Channel: p.Channel, Join: p.Join, Run: p.Run, Seq: p.Seq, Totals: p.Totals}
		l.bad = append(l.bad, p.Bad...)
	}
	go tx.Done(nil)
	return nil
}

// answers keeps the newest status for each sender.
type answers struct {
	mu   sync.Mutex
	last map[string]*wire.Status
}

func (a *answers) Publish(subject string, data []byte) error {
	st, err := wire.ParseStatus(data)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last[subject] = st
	return nil
}

// fakes are senders made of frames.
type fakes struct {
	t       *testing.T
	box     *Inbox
	log     *memoryLog
	answers *answers
	subject wire.Subjects
	handled int
}

func fakeID(n int, kind byte) (id store.ID) {
	id[0] = kind
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func fakeName(n int) string { return fmt.Sprintf("sender-%d", n) }

func newFakes(t *testing.T) *fakes {
	f := &fakes{t: t, log: &memoryLog{positions: map[store.ID]store.Position{}}, answers: &answers{last: map[string]*wire.Status{}}, subject: wire.Subjects{Prefix: "rmds."}}
	number := func(node string) (n int) {
		_, _ = fmt.Sscanf(node, "sender-%d", &n)
		return n
	}
	f.box = New(Options{Node: "me", Subjects: f.subject, RetryInterval: time.Second, MaxAttempts: 3, MaxBytes: 1 << 20, MaxQueued: 64 << 20, MaxLarge: 64 << 20, MaxBatch: 64 << 20,
		Writer: func(string, string) bool { return true },
		Member: func(node string) (store.ID, store.ID, bool) {
			return fakeID(number(node), 's'), fakeID(number(node), 'r'), true
		},
		Ask:     func() {},
		Deaf:    func(string) string { return "" },
		Prove:   func(store.ID, string, uint64) store.ID { return store.ID{} },
		Ended:   func(string, uint64) bool { return false },
		Batches: wire.KnownVersions(),
		OwnerOf: func(id store.ID) (string, bool) { return fakeName(int(binary.BigEndian.Uint64(id[8:]))), true },
		Event:   func(Event) {},
	}, f.log, f.answers)
	if err := f.box.Attach("c", 1, 0, func(context.Context, *Delivery) Verdict { f.handled++; return Verdict{Kind: Ack} }, false); err != nil {
		t.Fatal(err)
	}
	return f
}

// send opens a session of the nth sender and sends its message seq; the answer has to say that the one before is committed.
func (f *fakes) send(n int, seq uint64) {
	f.t.Helper()
	session := wire.Session{Run: fakeID(n, 'r'), Counter: seq}
	o := wire.Open{SenderStore: fakeID(n, 's'), Session: session, ReceiverStore: store.ID{1}, ReceiverRun: store.ID{2}, Channels: []wire.OpenChannel{{Name: "c", Join: 1}}}
	f.box.Receive(wire.Address{Kind: wire.SubjectOpen, To: "me", From: fakeName(n)}, o.Append(nil))
	synctest.Wait()
	f.answers.mu.Lock()
	st := f.answers.last[f.subject.Status(fakeName(n), "me")]
	f.answers.mu.Unlock()
	if st == nil || !st.Opened || st.Session != session {
		f.t.Fatalf("sender %d: its session %d is not open: %+v", n, seq, st)
	}
	prev := wire.Position{}
	if seq > 1 {
		prev = wire.Position{Run: fakeID(n, 'r'), Seq: seq - 1}
		if c := st.Channels[0]; len(c.Committed) != 1 || c.Committed[0] != prev || c.Totals.Handled != seq-1 {
			f.t.Fatalf("sender %d is back, and its place is told as %+v", n, c)
		}
	}
	d := wire.Data{Session: session, Number: 1, Prev: prev, Last: seq, EngineNow: 1, Batches: []wire.Carried{f.batch(n, seq, seq, 1)}}
	f.data(n, &d)
}

// batch is one of the nth sender, with so many messages, whatever it says.
func (f *fakes) batch(n int, first, last uint64, messages int) wire.Carried {
	f.t.Helper()
	var w wire.SegmentWriter
	for range messages {
		if err := w.Append(&wire.Message{Engine: 1, Data: []byte("message")}); err != nil {
			f.t.Fatal(err)
		}
	}
	head := wire.BatchHead{Run: fakeID(n, 'r'), Channel: "c", First: first, Last: last, Prev: first - 1}
	return wire.Carried{First: first, Last: last, Blob: wire.SealBatch(nil, head, [][]byte{w.Bytes()}, false)}
}

// data is a frame of the nth sender's run.
func (f *fakes) data(n int, d *wire.Data) {
	d.ReceiverRun, d.Channel, d.Join, d.Run = store.ID{2}, "c", 1, fakeID(n, 'r')
	f.box.Receive(wire.Address{Kind: wire.SubjectData, Channel: "c", To: "me", From: fakeName(n)}, d.Append(nil))
}

func prevRun(n int) store.ID { return fakeID(n, 'r') }

func (f *fakes) lanes() int {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	if len(f.box.sessions) > len(f.box.lanes) {
		f.t.Errorf("%d sessions of %d lanes", len(f.box.sessions), len(f.box.lanes))
	}
	return len(f.box.lanes)
}

// TestManySendersComeAndGo: ten thousand senders, more than have a lane at a time, are all served; when they are silent their lanes,
// goroutines and memory go, and whoever returns is where it was.
func TestManySendersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t)
		defer func() { _ = f.box.Close(context.Background()) }() // nothing can go wrong with this log
		goroutines, before := runtime.NumGoroutine(), heap()
		const senders = 10_000
		peak := 0
		for n := range senders {
			f.send(n, 1)
			if n%500 == 499 {
				peak = max(peak, f.lanes())
				time.Sleep(2 * time.Second) // so that those before are idle for more than an instant
			}
		}
		if peak > maxLanes || peak < manyLanes {
			t.Errorf("%d lanes at a time, want at most %d, and more than %d", peak, maxLanes, manyLanes)
		}
		full := heap()
		time.Sleep(crowdedAfter + 2*houseEvery)
		if n := f.lanes(); n > manyLanes {
			t.Errorf("%d lanes after half a minute of silence, want at most %d", n, manyLanes)
		}
		time.Sleep(idleAfter + 2*houseEvery)
		synctest.Wait()
		if n := f.lanes(); n != 0 {
			t.Errorf("%d lanes after ten minutes of silence", n)
		}
		if n := runtime.NumGoroutine(); n > goroutines+10 {
			t.Errorf("%d goroutines, %d before", n, goroutines)
		}
		after := heap()
		t.Logf("heap: %d KiB, %d with up to %d lanes, %d after", before>>10, full>>10, peak, after>>10)
		if full > before && after-before > (full-before)/2+(4<<20) {
			t.Errorf("the heap was %d bytes, went up to %d with %d lanes, and is %d when they are gone", before, full, peak, after)
		}
		for _, n := range []int{0, 1, senders / 2, senders - 1} {
			f.send(n, 2)
		}
		synctest.Wait()
		if f.handled != senders+4 {
			t.Errorf("%d messages handled, want %d", f.handled, senders+4)
		}
	})
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestALaneWithWorkIsNotGivenUp: however long a handler takes, its lane stays.
func TestALaneWithWorkIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t)
		defer func() { _ = f.box.Close(context.Background()) }() // nothing can go wrong with this log
		f.box.Detach("c")
		hold := make(chan struct{})
		if err := f.box.Attach("c", 1, 0, func(context.Context, *Delivery) Verdict { <-hold; f.handled++; return Verdict{Kind: Ack} }, false); err != nil {
			t.Fatal(err)
		}
		f.send(7, 1)
		time.Sleep(3 * idleAfter)
		if n := f.lanes(); n != 1 {
			t.Fatalf("%d lanes while a message is being handled, want 1", n)
		}
		close(hold)
		time.Sleep(2 * idleAfter)
		if n := f.lanes(); n != 0 || f.handled != 1 {
			t.Errorf("%d lanes at last, %d messages handled", n, f.handled)
		}
	})
}
