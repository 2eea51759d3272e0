package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// allBalanced checks the accounting identity of every reader.
func allBalanced(t *testing.T, c *rmds.Connection) {
	t.Helper()
	for _, a := range c.Accounts() {
		if !a.Balanced() {
			t.Errorf("the accounts of %s do not balance: %+v", c.NodeID(), a)
		}
	}
}

// acked makes a callback that acknowledges everything, and returns what lists what it has seen.
func acked(t *testing.T, ch *rmds.Channel) func() []string {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	if err := ch.OnMessage(func(m *rmds.Message) {
		mu.Lock()
		seen = append(seen, string(m.Data))
		mu.Unlock()
		_ = m.Ack()
	}); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func smallStorage() *rmds.Config {
	c := rmds.DefaultConfig()
	c.StorageMaxSize, c.MaxMessagesPerReceiver, c.EnableCompression = 4<<20, rmds.Unlimited, false
	return c
}

// TestStorageLimitSparesPendingMessages sends a multiple of what a node may store past a reader that keeps up, then to one that is away.
func TestStorageLimitSparesPendingMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		alice := network.ConnectWith(t, "alice", smallStorage())
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		const sends = 200
		for i := range sends {
			if err := chat.SendMessage(noise(100 << 10)); err != nil {
				t.Fatalf("send %d: %v", i, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if len(seen()) != sends {
			t.Fatalf("%d messages arrived, want %d", len(seen()), sends)
		}
		network.Disconnect("bob")
		stored, refused := 0, error(nil)
		for refused == nil && stored < sends {
			if refused = chat.SendMessage(noise(100 << 10)); refused == nil {
				stored++
			}
		}
		if !errors.Is(refused, rmds.ErrStorageFull) || !strings.Contains(refused.Error(), "node.db") || !strings.Contains(refused.Error(), "storage.max_size") || stored < 20 {
			t.Fatalf("after %d messages: %v", stored, refused)
		}
		network.Reconnect("bob")
		time.Sleep(time.Minute)
		if len(seen()) != sends+stored {
			t.Fatalf("%d messages arrived, want %d", len(seen()), sends+stored)
		}
		if err := chat.SendMessage(noise(100 << 10)); err != nil {
			t.Fatal("there is room again:", err)
		}
		allBalanced(t, alice)
	})
}

func limited(policy rmds.Overflow) *rmds.Config {
	c := rmds.DefaultConfig()
	c.MaxMessagesPerReceiver, c.Overflow = 3, policy
	return c
}

// TestOverflowBeforeTheFirstReader holds that what is kept for readers yet to come obeys the limit too.
func TestOverflowBeforeTheFirstReader(t *testing.T) {
	for _, c := range []struct {
		policy  rmds.Overflow
		arrive  []string
		dropped uint64
	}{{rmds.OverflowReject, numbered(1, 3), 0}, {rmds.OverflowDropOldest, numbered(8, 10), 7}, {rmds.OverflowDropNewest, numbered(1, 3), 7}} {
		t.Run(string(c.policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := enginetest.NewNetwork(t)
				alice := network.ConnectWith(t, "alice", limited(c.policy))
				chat := alice.Join("chat", rmds.WriteOnly)
				for i, text := range numbered(1, 10) {
					err := chat.SendMessage(text)
					if refused := c.policy == rmds.OverflowReject && i >= 3; errors.Is(err, rmds.ErrReaderFull) != refused || !refused && err != nil {
						t.Fatalf("message %s: %v", text, err)
					}
				}
				seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
				time.Sleep(time.Minute)
				if got := seen(); !slices.Equal(got, c.arrive) {
					t.Errorf("%v arrived, want %v", got, c.arrive)
				}
				if a := alice.Accounts()[0]; !a.Balanced() || a.Overflow != c.dropped || a.Handled != 3 || a.Pending != 0 {
					t.Errorf("%+v", a)
				}
				if err := chat.SendMessage("more"); err != nil {
					t.Error("there is room again:", err)
				}
			})
		})
	}
}

// TestRejectNamesTheReaderAndStoresNothing has one of two readers away.
func TestRejectNamesTheReaderAndStoresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		here, away := acked(t, network.Connect(t, "here").Join("chat", rmds.ReadOnly)), acked(t, network.Connect(t, "away").Join("chat", rmds.ReadOnly))
		alice := network.ConnectWith(t, "alice", limited(rmds.OverflowReject))
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		network.Disconnect("away")
		for _, text := range numbered(1, 3) {
			if err := chat.SendMessage(text); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		err := chat.SendMessage("4")
		if !errors.Is(err, rmds.ErrReaderFull) || !strings.Contains(err.Error(), "reader away has 3") {
			t.Fatal(err)
		}
		network.Reconnect("away")
		time.Sleep(time.Minute)
		if err := chat.SendMessage("5"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		want := append(numbered(1, 3), "5")
		if !slices.Equal(here(), want) || !slices.Equal(away(), want) {
			t.Errorf("%v and %v arrived, want %v", here(), away(), want)
		}
		allBalanced(t, alice)
	})
}

// TestDroppedMessagesTakeNoRoom sends many times what may be stored to a reader that is away and whose oldest messages are dropped.
func TestDroppedMessagesTakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		config := smallStorage()
		config.MaxMessagesPerReceiver, config.Overflow = 3, rmds.OverflowDropOldest
		alice := network.ConnectWith(t, "alice", config)
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		network.Disconnect("bob")
		const sends = 200
		for i := range sends {
			if err := chat.SendMessage(noise(100 << 10)); err != nil {
				t.Fatalf("send %d: %v", i, err)
			}
			time.Sleep(time.Second)
		}
		network.Reconnect("bob")
		time.Sleep(time.Minute)
		if a := alice.Accounts()[0]; len(seen()) != 3 || !a.Balanced() || a.Handled != 3 || a.Overflow != sends-3 || a.Pruned != 0 || a.Pending != 0 {
			t.Errorf("%d arrived: %+v", len(seen()), a)
		}
	})
}

// TestPurgedAndPruned purges everything while the reader is away, and then what is left: the reader is told, and nothing stays pending.
func TestPurgedAndPruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		alice := network.Connect(t, "alice")
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		network.Disconnect("bob")
		sendAll(t, chat, numbered(1, 10))
		if err := alice.Mgmt.PurgeAll(rmds.Self); err != nil {
			t.Fatal(err)
		}
		network.Reconnect("bob")
		time.Sleep(time.Minute)
		if a := alice.Accounts()[0]; !a.Balanced() || a.Purged != 10 || a.Pending != 0 {
			t.Errorf("%+v", a)
		}
		sendAll(t, chat, numbered(11, 12))
		time.Sleep(time.Minute)
		if !slices.Equal(seen(), numbered(11, 12)) {
			t.Errorf("%v arrived", seen())
		}
	})
}

// relay makes a handler that sends what it gets to another channel, once, and counts its calls.
func relay(t *testing.T, from *rmds.Channel, to string) (calls *atomic.Int64) {
	t.Helper()
	calls = &atomic.Int64{}
	if err := from.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
		calls.Add(1)
		if m.Attempt != 1 {
			t.Errorf("attempt %d of message %s", m.Attempt, m.Data)
		}
		if strings.HasPrefix(string(m.Data), "relayed") {
			return rmds.Result{}
		}
		return rmds.Result{Effects: rmds.Effects{Emits: []rmds.Emit{{Channel: to, Data: append([]byte("relayed "), m.Data...)}}}}
	}); err != nil {
		t.Fatal(err)
	}
	return calls
}

// TestTwoFullNodesDoNotBlockEachOther has each node's queue for the other at its limit, and handlers that send back.
func TestTwoFullNodesDoNotBlockEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice, bob := network.ConnectWith(t, "alice", limited(rmds.OverflowReject)), network.ConnectWith(t, "bob", limited(rmds.OverflowReject))
		there, back := alice.Join("there", rmds.WriteOnly), bob.Join("back", rmds.WriteOnly)
		atBob, atAlice := relay(t, bob.Join("there", rmds.ReadOnly), "back"), relay(t, alice.Join("back", rmds.ReadOnly), "there")
		time.Sleep(time.Minute)
		network.Down()
		for _, ch := range []*rmds.Channel{there, back} {
			sendAll(t, ch, numbered(1, 3))
			if err := ch.SendMessage("4"); !errors.Is(err, rmds.ErrReaderFull) {
				t.Fatal(err)
			}
		}
		network.Up()
		time.Sleep(time.Minute)
		if atBob.Load() != 6 || atAlice.Load() != 6 {
			t.Errorf("%d and %d messages handled, want 3 and 3 relayed at each", atBob.Load(), atAlice.Load())
		}
		allBalanced(t, alice)
		allBalanced(t, bob)
	})
}

// TestAFullNodeDoesNotCallHandlersThatWrite holds that without room for what handlers emit, messages wait and no attempt counts.
func TestAFullNodeDoesNotCallHandlersThatWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		relayed := acked(t, network.Connect(t, "carol").Join("out", rmds.ReadOnly))
		alice, bob := network.ConnectWith(t, "alice", smallStorage()), network.Connect(t, "bob")
		out, in := alice.Join("out", rmds.WriteOnly), bob.Join("in", rmds.WriteOnly)
		calls := relay(t, alice.Join("in", rmds.ReadOnly), "out")
		sendAll(t, in, numbered(1, 1))
		time.Sleep(time.Minute)
		network.Disconnect("carol")
		filler := 0
		for _, size := range []int{100 << 10, 10 << 10, 1 << 10, 1} {
			for out.SendMessage(noise(size)) == nil {
				filler++
			}
		}
		sendAll(t, in, numbered(2, 6))
		time.Sleep(10 * time.Minute)
		if n, stalls := calls.Load(), bob.Mgmt.Statistic()["stalls"]; n != 1 || stalls != 0 {
			t.Errorf("%d calls and %d stalls on the full node, want the first call only, and bob told why it waits", n, stalls)
		}
		network.Reconnect("carol")
		time.Sleep(time.Minute)
		if n := calls.Load(); n != 6 || len(relayed()) != 6+filler {
			t.Errorf("%d calls and %d messages at carol, want 6 and %d", n, len(relayed()), 6+filler)
		}
		allBalanced(t, alice)
		allBalanced(t, bob)
	})
}
