package engine_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
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
