package inbox

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

func TestWithCorrupt(t *testing.T) {
	corrupt := func(from, to uint64) wire.Skip {
		return wire.Skip{From: from, To: to, Count: to - from + 1, Reason: wire.Corrupt}
	}
	purged := func(from, to uint64) wire.Skip {
		return wire.Skip{From: from, To: to, Count: to - from + 1, Reason: wire.Purged}
	}
	for name, c := range map[string]struct{ before, after []wire.Skip }{
		"none":       {nil, []wire.Skip{corrupt(10, 19)}},
		"around":     {[]wire.Skip{purged(1, 9), purged(20, 30)}, []wire.Skip{purged(1, 9), corrupt(10, 19), purged(20, 30)}},
		"within":     {[]wire.Skip{purged(12, 13), purged(15, 15)}, []wire.Skip{corrupt(10, 11), purged(12, 13), corrupt(14, 14), purged(15, 15), corrupt(16, 19)}},
		"at the end": {[]wire.Skip{purged(5, 11), purged(18, 25)}, []wire.Skip{purged(5, 11), corrupt(12, 17), purged(18, 25)}},
		"all of it":  {[]wire.Skip{purged(3, 40)}, []wire.Skip{purged(3, 40)}},
	} {
		if got := withCorrupt(c.before, 10, 19); !slices.Equal(got, c.after) {
			t.Errorf("%s: %+v, want %+v", name, got, c.after)
		}
	}
}

// TestSpoiltBatchWithSkips: a batch that is sealed as it should be and holds fewer messages than it says is handled as far as it goes; each of the others
// counts once, and what is skipped keeps its reason.
func TestSpoiltBatchWithSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t)
		defer func() { _ = f.box.Close(context.Background()) }() // nothing can go wrong with this log
		f.send(1, 1)
		synctest.Wait()
		batch := f.batch(1, 2, 9, 5) // 2 to 6, of which 3 and 4 are skipped; 7 and 9 are not there, 8 is skipped
		f.data(1, &wire.Data{Session: wire.Session{Run: fakeID(1, 'r'), Counter: 1}, Number: 2, Prev: wire.Position{Run: fakeID(1, 'r'), Seq: 1}, Last: 12, EngineNow: 1,
			Skips:   []wire.Skip{{From: 3, To: 4, Count: 2, Reason: wire.Purged}, {From: 8, To: 8, Count: 1, Reason: wire.Overflow}},
			Batches: []wire.Carried{batch, f.batch(1, 10, 12, 3)}})
		time.Sleep(time.Second)
		want := store.Totals{Handled: 1 + 3 + 3, Purged: 2, Overflow: 1, Corrupt: 2}
		if p := f.log.Positions(fakeID(1, 's')); len(p) != 1 || p[0].Seq != 12 || p[0].Totals != want || f.handled != 7 {
			t.Errorf("%+v, %d handled, want position 12 and %+v", p, f.handled, want)
		}
		if bad := f.log.bad; len(bad) != 1 || bad[0].First != 2 || bad[0].Last != 9 || !bytes.Equal(bad[0].Blob, batch.Blob) {
			t.Errorf("kept: %+v", bad)
		}
	})
}

// TestCopies: a batch is given up when three copies are damaged alike; one that the network repeats, or that is damaged in another way, is none of them.
func TestCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t)
		defer func() { _ = f.box.Close(context.Background()) }() // nothing can go wrong with this log
		f.send(1, 1)
		number := uint64(2)
		send := func(left int64, flip ...byte) (given bool) {
			t.Helper()
			c := f.batch(1, number, number+1, 2)
			copy(c.Blob[len(c.Blob)-len(flip):], flip)
			f.data(1, &wire.Data{Session: wire.Session{Run: fakeID(1, 'r'), Counter: 1}, Number: number, Prev: wire.Position{Run: fakeID(1, 'r'), Seq: number - 1}, Last: number + 1,
				EngineNow: left, Batches: []wire.Carried{c}})
			synctest.Wait()
			l := f.box.all()[0]
			l.mu.Lock()
			defer l.mu.Unlock()
			place, _ := l.machine.Place("c")
			return place.Received == lane.Position{Run: fakeID(1, 'r'), Seq: number + 1}
		}
		for i, c := range []struct {
			left  int64
			flip  byte
			given bool
		}{
			{10, 1, false}, {10, 1, false}, {10, 1, false}, // one copy, three times
			{11, 1, false}, {12, 2, false}, {13, 1, false}, {14, 1, false}, // another between them
			{15, 1, true},
		} {
			if send(c.left, c.flip) != c.given {
				t.Fatalf("copy %d: %+v", i, c)
			}
		}
		if f.handled != 1 {
			t.Errorf("%d handled", f.handled)
		}
		time.Sleep(time.Second)
		if p := f.log.Positions(fakeID(1, 's')); len(p) != 1 || p[0].Seq != 3 || p[0].Totals != (store.Totals{Handled: 1, Corrupt: 2}) || len(f.log.bad) != 1 {
			t.Errorf("%+v, kept %+v", p, f.log.bad)
		}
	})
}
