package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// TestStuckChannel: under one order for all channels, a message that is not handled holds up everything its sender sent after it, and
// under an order for each channel only its own; through lost connections and restarts of the sender, and never anything out of order.
func TestStuckChannel(t *testing.T) {
	for _, ordering := range []rmds.Ordering{rmds.OrderReceiver, rmds.OrderChannel} {
		t.Run(string(ordering), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { stuckChannel(t, ordering) })
		})
	}
}

func stuckChannel(t *testing.T, ordering rmds.Ordering) {
	network := enginetest.NewNetwork(t)
	c := rmds.DefaultConfig()
	c.Ordering = ordering
	bob := network.ConnectWith(t, "bob", c)
	release := make(chan struct{})
	var all collector
	for _, channel := range []string{"stuck", "free", "other"} {
		if err := bob.Join(channel, rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			if m.Channel == "stuck" {
				<-release
			}
			all.handle(m)
		}); err != nil {
			t.Fatal(err)
		}
	}
	var sent []string
	send := func(alice *rmds.Connection) {
		for range 30 {
			for _, channel := range []string{"free", "stuck", "other"} {
				ch := alice.Channel(channel)
				if ch == nil {
					ch = alice.Join(channel, rmds.WriteOnly)
				}
				text := fmt.Sprintf("%s %03d", channel, len(sent))
				if err := ch.SendMessage(text); err != nil {
					t.Fatal(err)
				}
				sent = append(sent, text)
			}
		}
	}
	check := func(when string) {
		t.Helper()
		time.Sleep(2 * time.Minute)
		want := sent[:1] // up to the first that is stuck
		if ordering == rmds.OrderChannel {
			want = slices.DeleteFunc(slices.Clone(sent), func(s string) bool { return strings.HasPrefix(s, "stuck") })
		}
		if got := all.list(); !sameOrder(got, want, ordering) {
			t.Fatalf("%s: %d handled, want %d: %v", when, len(got), len(want), got)
		}
	}
	alice := network.ConnectWith(t, "alice", c)
	send(alice)
	check("stuck")
	network.Disconnect("bob")
	send(alice)
	time.Sleep(time.Second)
	network.Reconnect("bob")
	check("after bob lost his connection")
	network.Kill("alice")
	alice = network.ConnectWith(t, "alice", c)
	send(alice)
	check("after alice was killed")
	network.PowerCut("alice")
	network.Down()
	alice = network.ConnectWith(t, "alice", c)
	send(alice)
	network.Up()
	check("after alice's power was cut and the network was down")
	close(release)
	time.Sleep(2 * time.Minute)
	if got := all.list(); !sameOrder(got, sent, ordering) {
		t.Fatalf("after the release %d were handled of %d, or not in order: %v", len(got), len(sent), got)
	}
}

// sameOrder tells whether the messages are those wanted, in the order that is promised.
func sameOrder(got, want []string, ordering rmds.Ordering) bool {
	if ordering == rmds.OrderReceiver {
		return slices.Equal(got, want)
	}
	byChannel := func(a, b string) int { return strings.Compare(a[:4], b[:4]) }
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortStableFunc(got, byChannel)
	slices.SortStableFunc(want, byChannel)
	return slices.Equal(got, want)
}

// TestParallelSenders: as many senders as allowed are served at a time, and never two messages of one.
func TestParallelSenders(t *testing.T) {
	for _, parallel := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := enginetest.NewNetwork(t)
				c := rmds.DefaultConfig()
				c.ParallelSenders = parallel
				var mu sync.Mutex
				running, last := map[string]int{}, map[string]string{}
				most, handled := 0, 0
				if err := network.ConnectWith(t, "bob", c).Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
					mu.Lock()
					running[m.Sender]++
					if running[m.Sender] > 1 {
						t.Errorf("two messages of %s at a time", m.Sender)
					}
					if text := string(m.Data); text <= last[m.Sender] {
						t.Errorf("%s: %s after %s", m.Sender, text, last[m.Sender])
					} else {
						last[m.Sender] = text
					}
					total := 0
					for _, n := range running {
						total += n
					}
					most = max(most, total)
					mu.Unlock()
					time.Sleep(50 * time.Millisecond) // the others get their chance
					mu.Lock()
					running[m.Sender]--
					handled++
					mu.Unlock()
					_ = m.Ack()
				}); err != nil {
					t.Fatal(err)
				}
				const senders, messages = 4, 25
				for s := range senders {
					ch := network.Connect(t, fmt.Sprintf("sender-%d", s)).Join("chat", rmds.WriteOnly)
					for n := range messages {
						if err := ch.SendMessage(fmt.Sprintf("%03d", n)); err != nil {
							t.Fatal(err)
						}
					}
				}
				time.Sleep(time.Minute)
				mu.Lock()
				defer mu.Unlock()
				if most != parallel || handled != senders*messages {
					t.Errorf("%d senders served at a time, want %d; %d of %d messages handled", most, parallel, handled, senders*messages)
				}
			})
		})
	}
}

// TestOneInFlight: with a window of one, one batch is on its way and one message in its handler, whatever the network does.
func TestOneInFlight(t *testing.T) {
	for _, size := range []int{10, 40 << 10} { // small, and batches that go in pieces at first
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { oneInFlight(t, size) })
		})
	}
}

func oneInFlight(t *testing.T, size int) {
	const batches, each = 40, 5
	w := &wires{Network: memconn.NewNetwork(1)}
	w.SetFaults(memconn.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, Drop: 0.05, Duplicate: 0.05})
	var mu sync.Mutex
	var sent, committed uint64 // the last sequence on the wire, and the last that the reader has said is committed
	w.sent = func(node, _ string, data []byte) {
		mu.Lock()
		defer mu.Unlock()
		if d := parseData(data); d != nil && d.Last > sent && len(d.Batches)+len(d.Skips) > 0 || d != nil && d.Piece != nil && d.Last > sent {
			if committed < sent || len(d.Batches) > 1 {
				t.Errorf("a frame of %d batches up to %d while the reader has committed %d of %d", len(d.Batches), d.Last, committed, sent)
			}
			sent = d.Last
		}
		if st, err := wire.ParseStatus(data); err == nil && node == "bob" {
			for _, c := range st.Channels {
				for _, p := range c.Committed {
					committed = max(committed, p.Seq)
				}
			}
		}
	}
	c := rmds.DefaultConfig()
	c.MaxInFlight = 1
	var running, handled atomic.Int64
	if err := w.connect(t, "bob", c).Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
		if running.Add(1) > 1 {
			t.Error("two messages in their handlers")
		}
		time.Sleep(3 * time.Millisecond)
		handled.Add(1)
		running.Add(-1)
		_ = m.Ack()
	}); err != nil {
		t.Fatal(err)
	}
	alice := w.connect(t, "alice", c).Join("chat", rmds.WriteOnly)
	for range batches {
		var list []rmds.Outgoing
		for range each {
			list = append(list, rmds.Outgoing{Data: noise(size)})
		}
		if err := alice.SendBatch(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	for start := time.Now(); handled.Load() < batches*each && time.Since(start) < time.Hour; {
		time.Sleep(time.Second)
	}
	if n := handled.Load(); n != batches*each {
		t.Errorf("%d of %d messages handled", n, batches*each)
	}
}
