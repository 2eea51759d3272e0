package engine_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// TestExpiryCountsNoWallClock has both nodes' clocks jump by years while a message waits for a reader that is away.
func TestExpiryCountsNoWallClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, ahead := range []time.Duration{20 * year, -20 * year} {
		synctest.Test(t, func(t *testing.T) {
			network := enginetest.NewNetwork(t)
			seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
			alice := network.Connect(t, "alice")
			chat := alice.Join("chat", rmds.WriteOnly)
			time.Sleep(time.Minute)
			network.Disconnect("bob")
			for text, life := range map[string]time.Duration{"short": 10 * time.Minute, "long": time.Hour} {
				if err := chat.SendMessage(text, rmds.Timeout(life)); err != nil {
					t.Fatal(err)
				}
			}
			network.SetClock("alice", ahead)
			network.SetClock("bob", -ahead)
			time.Sleep(30 * time.Minute)
			network.Reconnect("bob")
			time.Sleep(time.Minute)
			if got := seen(); !slices.Equal(got, []string{"long"}) {
				t.Errorf("%v arrived, want what lives for an hour and not what lived for ten minutes", got)
			}
			if a := alice.Accounts()[0]; !a.Balanced() || a.Expired != 1 || a.Pending != 0 {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestTimeoutReplacesMessageExpiry also holds that what has expired for a reader that is away counts in its queue no more.
func TestTimeoutReplacesMessageExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		config := limited(rmds.OverflowReject)
		config.MessageExpiry = time.Hour
		alice := network.ConnectWith(t, "alice", config)
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		network.Disconnect("bob")
		for text, life := range map[string]time.Duration{"default": 0, "shorter": 10 * time.Minute, "for ever": rmds.NoExpiry} {
			if err := chat.SendMessage(text, rmds.Timeout(life)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Hour)
		for _, text := range []string{"next", "after"} {
			if err := chat.SendMessage(text); err != nil {
				t.Fatal(err)
			}
		}
		network.Reconnect("bob")
		time.Sleep(time.Minute)
		if got := seen(); !slices.Equal(got, []string{"for ever", "next", "after"}) {
			t.Errorf("%v arrived", got)
		}
		if a := alice.Accounts()[0]; !a.Balanced() || a.Expired != 2 || a.Pending != 0 {
			t.Errorf("%+v", a)
		}
	})
}

// TestOpenMessagesExpire keeps more for readers yet to come than the limit allows, but never at the same time.
func TestOpenMessagesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		config := limited(rmds.OverflowReject)
		config.MessageExpiry = 10 * time.Minute
		alice := network.ConnectWith(t, "alice", config)
		chat := alice.Join("chat", rmds.WriteOnly)
		for from := 1; from < 10; from += 3 {
			sendAll(t, chat, numbered(from, from+2))
			if from < 7 {
				time.Sleep(20 * time.Minute)
			}
		}
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		time.Sleep(time.Minute)
		if got := seen(); !slices.Equal(got, numbered(7, 9)) {
			t.Errorf("%v arrived", got)
		}
		if a := alice.Accounts()[0]; !a.Balanced() || a.Expired != 6 || a.Pending != 0 {
			t.Errorf("%+v", a)
		}
	})
}

// TestExpiredMessagesTakeNoRoom sends many times what may be stored to a reader that is away for longer than messages live.
func TestExpiredMessagesTakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		config := smallStorage()
		config.MessageExpiry = 10 * time.Minute
		alice := network.ConnectWith(t, "alice", config)
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		network.Disconnect("bob")
		const sends = 150
		for i := range sends {
			if err := chat.SendMessage(noise(100 << 10)); err != nil {
				t.Fatalf("send %d: %v", i, err)
			}
			time.Sleep(time.Minute)
		}
		network.Reconnect("bob")
		time.Sleep(time.Minute)
		got := uint64(len(seen()))
		if a := alice.Accounts()[0]; got < 7 || got > 10 || !a.Balanced() || a.Handled != got || a.Expired != sends-got || a.Pending != 0 {
			t.Errorf("%d arrived: %+v", got, a)
		}
	})
}

// TestNothingExpiresAfterItsFirstAttempt has a handler ask for another attempt past the message's life.
func TestNothingExpiresAfterItsFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		attempts := make(chan int, 10)
		if err := network.Connect(t, "bob").Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			attempts <- m.Attempt
			if m.Attempt == 1 {
				_ = m.Nack(time.Hour)
			} else {
				_ = m.Ack()
			}
		}); err != nil {
			t.Fatal(err)
		}
		alice := network.Connect(t, "alice")
		if err := alice.Join("chat", rmds.WriteOnly).SendMessage("once", rmds.Timeout(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if a := alice.Accounts()[0]; len(attempts) != 2 || a.Handled != 1 || a.Expired != 0 {
			t.Errorf("%d attempts: %+v", len(attempts), a)
		}
	})
}

// TestADelayedEmitThatIsRefusedHoldsUpNoOther changes the largest size of a message while delayed ones wait.
func TestADelayedEmitThatIsRefusedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		seen := acked(t, network.Connect(t, "bob").Join("chat", rmds.ReadOnly))
		alice := network.Connect(t, "alice")
		alice.Join("chat", rmds.WriteOnly)
		delayed := rmds.Effects{Emits: []rmds.Emit{{Channel: "chat", Data: make([]byte, 5000), Delay: time.Minute}, {Channel: "chat", Data: []byte("small"), Delay: 2 * time.Minute},
			{Channel: "chat", Data: []byte("smaller"), Delay: 3 * time.Minute}}}
		if _, err := alice.Commit(context.Background(), delayed, nil); err != nil {
			t.Fatal(err)
		}
		restart := func(limit int) {
			if err := alice.Unsubscribe(); err != nil {
				t.Fatal(err)
			}
			config := rmds.DefaultConfig()
			config.MaxMessageSize = limit
			alice = network.ConnectWith(t, "alice", config)
			alice.Join("chat", rmds.WriteOnly)
			time.Sleep(10 * time.Minute)
		}
		restart(1000)
		if got := seen(); !slices.Equal(got, []string{"small", "smaller"}) {
			t.Errorf("%v arrived behind one that is too large", got)
		}
		restart(10000)
		if got := seen(); len(got) != 3 {
			t.Errorf("%d messages arrived, want all three now", len(got))
		}
		tooLarge := rmds.Effects{Emits: []rmds.Emit{{Channel: "chat", Data: make([]byte, 50000), Delay: time.Minute}}}
		if _, err := alice.Commit(context.Background(), tooLarge, nil); err == nil {
			t.Error("a delayed emit that can never be sent was taken")
		}
	})
}
