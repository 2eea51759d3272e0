package outbox

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// ledgerLog is a log with one channel of ten messages and one reader; it keeps what is to be written.
type ledgerLog struct {
	quietLog
	mu   sync.Mutex
	done []*store.Tx
}

func (l *ledgerLog) Readers() []store.Reader {
	return []store.Reader{{Store: store.ID{7}, Node: "bob", Channel: "c", Join: 1}}
}

func (l *ledgerLog) Head(string) (store.Head, bool)            { return store.Head{Last: 10, Total: 10}, true }
func (l *ledgerLog) Upto(_ string, seq uint64) (uint64, error) { return seq, nil }
func (l *ledgerLog) LastOf(store.ID) (uint64, bool)            { return 10, true }
func (l *ledgerLog) Short() bool                               { return false }
func (l *ledgerLog) Do(*store.Tx) error                        { return nil }

func (l *ledgerLog) Submit(tx *store.Tx) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, tx)
}

// gate holds the stream up in the middle of what it does.
type gate struct {
	nowhere
	open chan struct{}
}

func (g *gate) Publish(string, []byte) error {
	<-g.open
	return nil
}

// TestATakeoverCountsEveryReport: a reader's place goes to its node's new database as it was last reported, also when the report lies in the
// mailbox of a busy stream.
func TestATakeoverCountsEveryReport(t *testing.T) {
	for _, perChannel := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log, g := &ledgerLog{}, &gate{open: make(chan struct{})}
			b := New(Options{Node: "me", MaxInFlight: 1, MaxBytes: 1, AckTimeout: time.Second, PerChannel: perChannel, Event: func(Event) {}}, log, g, func(string, bool) bool { return false }, func() int64 { return 0 })
			defer b.Abort()
			b.Connected()
			b.SetTarget(Target{Node: "bob", Store: store.ID{7}, Run: store.ID{8}, Online: true, Ready: map[string]uint64{"c": 1}})
			synctest.Wait() // it is about to open the lane
			b.Status("bob", &wire.Status{ReceiverStore: store.ID{7}, ReceiverRun: store.ID{8}, SenderStore: log.ID(), State: wire.OK,
				Channels: []wire.StatusChannel{{Name: "c", Join: 1, Committed: []wire.Position{{Run: log.Run(), Seq: 6}}, Totals: wire.Totals{Handled: 6}}}})
			b.AddReader(store.AddReader{Store: store.ID{9}, Node: "bob", Channel: "c", Join: 1}, func(error) {})
			synctest.Wait()
			close(g.open)
			synctest.Wait()
			log.mu.Lock()
			defer log.mu.Unlock()
			if len(log.done) != 1 || len(log.done[0].Readers) != 2 {
				t.Fatalf("written: %+v", log.done)
			}
			if moved, added := log.done[0].Readers[0].Move, log.done[0].Readers[1].Add; moved == nil || moved.Position != 6 || moved.Store != (store.ID{7}) || added == nil {
				t.Errorf("written: %+v, %+v", moved, added)
			}
		})
	}
}

// TestAddReaderWithoutAStream does not wait for one.
func TestAddReaderWithoutAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &ledgerLog{}
		b := New(Options{Node: "me", MaxInFlight: 1, MaxBytes: 1, AckTimeout: time.Second, Event: func(Event) {}}, log, nowhere{}, func(string, bool) bool { return false }, func() int64 { return 0 })
		defer b.Abort()
		b.AddReader(store.AddReader{Store: store.ID{9}, Node: "bob", Channel: "c", Join: 1}, func(error) {})
		if len(log.done) != 1 || len(log.done[0].Readers) != 2 {
			t.Fatalf("written: %+v", log.done)
		}
	})
}
