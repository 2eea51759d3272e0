package engine_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// TestFiveDaysWithoutNATS: sends are accepted until the reader's queue is full and then refused, both processes die meanwhile, and in the end
// the reader has all that was accepted, in order, and the sender has room again.
func TestFiveDaysWithoutNATS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 2000
		network := enginetest.NewNetwork(t)
		config := rmds.DefaultConfig()
		config.MessageExpiry, config.MaxMessagesPerReceiver, config.MaxInFlight = rmds.NoExpiry, limit, 100
		start := func() (*rmds.Connection, *rmds.Channel) {
			alice := network.ConnectWith(t, "alice", config)
			return alice, alice.Join("chat", rmds.WriteOnly)
		}
		alice, chat := start()
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		time.Sleep(time.Minute)
		sendAll(t, chat, numbered(1, 10))
		time.Sleep(time.Minute)
		network.Down()
		for day := range 5 {
			sendAll(t, chat, numbered(11+day*limit/5, 10+(day+1)*limit/5))
			time.Sleep(24 * time.Hour)
			if day == 2 {
				network.Kill("alice")
				alice, chat = start()
			}
		}
		if err := chat.SendMessage("one more"); !errors.Is(err, rmds.ErrReaderFull) {
			t.Errorf("a send to a full queue: %v", err)
		}
		if list := seen(); !slices.Equal(list, numbered(1, 10)) {
			t.Errorf("without a network %d messages arrived, want the first 10", len(list))
		}
		network.Kill("bob")
		time.Sleep(time.Hour)
		seen = acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		network.Up()
		time.Sleep(time.Minute)
		synctest.Wait()
		if list := seen(); !slices.Equal(list, numbered(11, 10+limit)) {
			t.Errorf("%d messages arrived, want those that waited, %d, in order", len(list), limit)
		}
		if a := alice.Accounts()[0]; !a.Balanced() || a.Handled != 10+limit || a.Pending != 0 {
			t.Errorf("account %+v", a)
		}
		if err := chat.SendMessage("one more"); err != nil {
			t.Error(err)
		}
	})
}

// TestTailLostWithoutSync: with storage that is not synced at every commit a power cut takes messages that their reader has had. Their
// sequences are given again, to other messages, which the reader takes for what they are.
func TestTailLostWithoutSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		config := rmds.DefaultConfig()
		config.StorageSync = rmds.SyncNormal
		bob := network.Connect(t, "bob")
		seen := acked(t, bob.Join("chat", rmds.ReadOnly))
		const each = 5
		lost, sent := 0, 0
		for range 10 {
			alice := network.ConnectWith(t, "alice", config)
			chat := alice.Join("chat", rmds.WriteOnly)
			time.Sleep(time.Minute)
			before := alice.Mgmt.Statistic()["queued"]
			sendAll(t, chat, numbered(sent+1, sent+each))
			sent += each
			time.Sleep(time.Minute)
			if list := seen(); !slices.Equal(list, numbered(1, sent)) {
				t.Fatalf("%d messages arrived, want %d: %q", len(list), sent, list[max(0, len(list)-10):])
			}
			allBalanced(t, alice)
			network.PowerCut("alice")
			after := network.ConnectWith(t, "alice", config)
			if after.Mgmt.Statistic()["queued"] < before+each {
				lost++
			}
			network.Kill("alice")
		}
		if lost == 0 {
			t.Error("no power cut took anything")
		}
		if in := bob.Inbound(); len(in) != 1 || in[0].Handled != uint64(sent) {
			t.Errorf("bob's account %+v, want %d handled", in, sent)
		}
	})
}
