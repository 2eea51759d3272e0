package engine_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// TestSlowLinks: over a link that needs minutes for what is sent, everything arrives in about the time that the link needs, without one
// session after another beginning from the start.
func TestSlowLinks(t *testing.T) {
	for _, c := range []struct {
		name      string
		bandwidth int // bytes a second
		messages  int
		size      int
		latency   time.Duration
		loss      float64
		queue     time.Duration // the most that may wait to go over the link: NATS drops a connection that answers no ping for 15 s
	}{
		{"32 kbit/s, a large message", 4000, 1, 400 << 10, 50 * time.Millisecond, 0, 12 * time.Second},
		{"32 kbit/s, many small messages", 4000, 3000, 100, 50 * time.Millisecond, 0, 12 * time.Second},
		{"32 kbit/s, messages of some KiB, lossy", 4000, 40, 10 << 10, 50 * time.Millisecond, 0.01, 12 * time.Second},
		{"2400 bit/s", 300, 3, 30 << 10, 100 * time.Millisecond, 0, 3 * time.Minute},
		{"a satellite, quick and far", 1 << 20, 4, 3 << 20, 400 * time.Millisecond, 0, 12 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wires{Network: memconn.NewNetwork(1)}
				w.SetFaults(memconn.Faults{Bandwidth: c.bandwidth, Drop: c.loss, MinDelay: c.latency, MaxDelay: c.latency})
				var moved, opens, handled, wrong, longest atomic.Int64
				var mu sync.Mutex
				var busy time.Time // until when the link from alice is
				w.sent = func(node, subject string, data []byte) {
					mu.Lock()
					defer mu.Unlock()
					if node == "alice" {
						if now := time.Now(); busy.Before(now) {
							busy = now
						}
						busy = busy.Add(time.Duration(len(data)) * time.Second / time.Duration(c.bandwidth))
						longest.Store(max(longest.Load(), int64(time.Until(busy))))
					}
					if d := parseData(data); d != nil {
						moved.Add(int64(len(data)))
					} else if node == "alice" && bytes.HasPrefix([]byte(subject), []byte("rmds.open.")) {
						opens.Add(1)
					}
				}
				config := rmds.DefaultConfig()
				config.MessageExpiry = rmds.NoExpiry
				message := func(n int) []byte { return append([]byte(fmt.Sprintf("%06d", n)), noise(c.size)...) }
				bob := w.connect(t, "bob", config)
				if err := bob.Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
					if !bytes.Equal(m.Data, message(int(handled.Load()))) {
						wrong.Add(1)
					}
					handled.Add(1)
					_ = m.Ack()
				}); err != nil {
					t.Fatal(err)
				}
				alice := w.connect(t, "alice", config).Join("chat", rmds.WriteOnly)
				start := time.Now()
				for n := range c.messages {
					if err := alice.SendMessage(message(n)); err != nil {
						t.Fatal(err)
					}
				}
				for handled.Load() < int64(c.messages) && time.Since(start) < time.Hour {
					time.Sleep(time.Second)
				}
				least := time.Duration(c.messages*c.size) * time.Second / time.Duration(c.bandwidth)
				t.Logf("%v for what the link needs %v for: %d KiB moved, %d opens, at most %v in the queue", time.Since(start), least, moved.Load()>>10, opens.Load(), time.Duration(longest.Load()))
				if handled.Load() != int64(c.messages) || wrong.Load() > 0 {
					t.Fatalf("%d of %d messages handled, %d out of order or changed", handled.Load(), c.messages, wrong.Load())
				}
				if q := time.Duration(longest.Load()); q > c.queue {
					t.Errorf("%v of frames waited to go over the link, want at most %v", q, c.queue)
				}
				if limit := 2*least + time.Minute; time.Since(start) > limit {
					t.Errorf("it took %v, want at most %v", time.Since(start), limit)
				}
			})
		})
	}
}
