package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// The load of a fan-out: batches of messages, each batch a send that waits.
const (
	fanBatches = 30
	fanBatch   = 100
	fanData    = 200 // bytes of a message; they do not compress
)

// fanCost is what a message costs its sender, however many read it.
type fanCost struct{ bytes, commits float64 }

// fanOut sends to so many readers and measures the sender's database and its commits.
func fanOut(t testing.TB, readers int) (cost fanCost) {
	network := memconn.NewNetwork(1)
	var handled atomic.Int64
	for i := range readers {
		disk := crashvfs.New(uint64(i))
		c, err := rmds.New(nil, rmds.SetID(fmt.Sprintf("reader-%d", i)), rmds.SetStoragePath("node.db"), rmds.SetHarness(&harness.Harness{Dial: network.Dial, VFS: disk.Name()}))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Join("fan", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { handled.Add(1); _ = m.Ack() }); err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		defer func() { _ = c.Unsubscribe() }()
	}
	path := filepath.Join(t.TempDir(), "sender.db")
	var commits atomic.Int64
	connect := func() (*rmds.Connection, *rmds.Channel) {
		c, err := rmds.New(nil, rmds.SetID("sender"), rmds.SetStoragePath(path), rmds.SetHarness(&harness.Harness{Dial: network.Dial}),
			rmds.SetObserver(func(e rmds.Event) {
				if e.Kind == rmds.TransactionCommitted {
					commits.Add(1)
				}
			}))
		if err != nil {
			t.Fatal(err)
		}
		ch := c.Join("fan", rmds.WriteOnly)
		time.Sleep(time.Minute)
		return c, ch
	}
	closed := func(c *rmds.Connection) float64 {
		if err := c.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return float64(info.Size())
	}
	c, ch := connect()
	if err := ch.SendMessage("first"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	before := closed(c)
	c, ch = connect()
	commits.Store(0)
	batch := make([]rmds.Outgoing, fanBatch)
	data := noise(fanBatches * fanBatch * fanData)
	for range fanBatches {
		for i := range batch {
			batch[i].Data, data = data[:fanData], data[fanData:]
		}
		if err := ch.SendBatch(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(10 * time.Second)
	const messages = fanBatches * fanBatch
	cost.commits = float64(commits.Load()) / messages
	cost.bytes = (closed(c) - before) / messages
	if n := handled.Load(); n != int64(readers)*(messages+1) {
		t.Fatalf("%d messages handled by %d readers, want %d", n, readers, readers*(messages+1))
	}
	return cost
}

// BenchmarkFanOut sends to readers in the same process, over a network in memory, and waits for all of them: what of a message its sender
// stores, in how many commits, and how many messages a second. Readers share this machine, so with more of them it takes longer, and what
// they report is stored ten times a second.
//
//	CGO_ENABLED=0 go test ./engine -run '^$' -bench FanOut -benchtime 20000x
func BenchmarkFanOut(b *testing.B) {
	for _, readers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			network := memconn.NewNetwork(1)
			var handled, commits, stored atomic.Int64
			connect := func(id string, o ...rmds.Option) *rmds.Connection {
				c := rmds.DefaultConfig()
				c.NodeID, c.StoragePath, c.MaxMessagesPerReceiver = id, filepath.Join(b.TempDir(), "node.db"), rmds.Unlimited
				connection, err := rmds.New(c, append(o, rmds.SetHarness(&harness.Harness{Dial: network.Dial}))...)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = connection.Unsubscribe() })
				return connection
			}
			for i := range readers {
				if err := connect(fmt.Sprintf("reader-%d", i)).Join("fan", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { handled.Add(1); _ = m.Ack() }); err != nil {
					b.Fatal(err)
				}
			}
			ch := connect("sender", rmds.SetObserver(func(e rmds.Event) {
				if e.Kind == rmds.TransactionCommitted {
					commits.Add(1)
					stored.Add(int64(e.Bytes))
				}
			})).Join("fan", rmds.WriteOnly)
			all := func(n int64) {
				for deadline := time.Now().Add(patience); handled.Load() < n*int64(readers); time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						b.Fatalf("%d of %d handled", handled.Load(), n*int64(readers))
					}
				}
			}
			if err := ch.SendMessage("first"); err != nil {
				b.Fatal(err)
			}
			all(1)
			commits.Store(0)
			stored.Store(0)
			messages := benchMessages(256)
			b.ResetTimer()
			for n := range b.N {
				ch.SendAsync(messages[n%len(messages)], func(error) {}) // one that fails is missed below
			}
			all(int64(b.N) + 1)
			b.ReportMetric(float64(stored.Load())/float64(b.N), "stored-B/msg")
			b.ReportMetric(float64(commits.Load())/float64(b.N), "commits/msg")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// TestFanOutIsFlat holds that the hundredth reader of a channel costs its sender no more storage and no more commits than the first.
func TestFanOutIsFlat(t *testing.T) {
	many := 100
	if raceEnabled {
		many = 10
	}
	cost := map[int]fanCost{}
	for _, readers := range []int{1, many} {
		synctest.Test(t, func(t *testing.T) { cost[readers] = fanOut(t, readers) })
	}
	t.Logf("a message to 1 reader: %.0f bytes, %.4f commits; to %d: %.0f bytes, %.4f commits", cost[1].bytes, cost[1].commits, many, cost[many].bytes, cost[many].commits)
	if cost[many].bytes > 1.2*cost[1].bytes || cost[many].commits > 1.2*cost[1].commits {
		t.Errorf("a message to %d readers costs %.0f bytes and %.4f commits, to one %.0f and %.4f", many, cost[many].bytes, cost[many].commits, cost[1].bytes, cost[1].commits)
	}
}
