package outbox

import (
	"encoding/binary"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
)

// quietLog is a log that nothing is ever written to.
type quietLog struct{ fakeLog }

func (quietLog) ID() store.ID            { return store.ID{1} }
func (quietLog) Run() store.ID           { return store.ID{2} }
func (quietLog) Now() int64              { return 1 }
func (quietLog) Readers() []store.Reader { return nil }

type nowhere struct{}

func (nowhere) Publish(string, []byte) error { return nil }
func (nowhere) MaxPayload() int              { return 0 }

// TestStreamsOfAbsentReadersEnd: a reader that is away, or reads nothing any more, costs no goroutine for long; one that is there does.
func TestStreamsOfAbsentReadersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Node: "me", MaxInFlight: 1, MaxBytes: 1, AckTimeout: time.Second, Event: func(Event) {}}, &quietLog{}, nowhere{}, func(string, bool) bool { return false }, func() int64 { return 0 })
		defer b.Abort()
		before := runtime.NumGoroutine()
		const readers = 3000
		target := func(n int, online bool, ready map[string]uint64) {
			id := store.ID{9}
			binary.BigEndian.PutUint64(id[8:], uint64(n))
			b.SetTarget(Target{Node: "reader", Store: id, Online: online, Ready: ready})
		}
		count := func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.streams)
		}
		ready := map[string]uint64{"c": 1}
		for n := range readers {
			target(n, true, ready)
		}
		time.Sleep(2 * idleAfter)
		if got := count(); got != readers {
			t.Fatalf("%d streams of %d readers that are there", got, readers)
		}
		for n := range readers - 1 {
			if n%2 == 0 {
				target(n, false, ready)
			} else {
				target(n, true, nil)
			}
		}
		time.Sleep(crowdedAfter + 2*houseEvery)
		synctest.Wait()
		if got := count(); got != 1 {
			t.Errorf("%d streams, want that of the one reader left", got)
		}
		if got := runtime.NumGoroutine(); got > before+5 {
			t.Errorf("%d goroutines, %d before", got, before)
		}
		target(0, true, ready)
		if got := count(); got != 2 {
			t.Errorf("%d streams after one reader came back, want 2", got)
		}
	})
}
