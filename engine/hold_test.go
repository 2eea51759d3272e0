package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// A lane that is held waits as long as it takes, whatever befalls its node, without an attempt being counted.
func TestHoldCountsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		config := rmds.DefaultConfig()
		config.MaxRetryAttempts = 3
		config.MessageExpiry = -1
		var away atomic.Bool
		away.Store(true)
		var calls atomic.Int64
		var attempts []int
		var got collector
		attach := func() *rmds.Connection {
			bob := network.ConnectWith(t, "bob", config)
			if err := bob.Join("work", rmds.ReadOnly).Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
				calls.Add(1)
				if away.Load() {
					return rmds.Result{Verdict: rmds.Hold, Delay: time.Minute, Reason: "the printer is out of paper"}
				}
				attempts = append(attempts, m.Attempt)
				got.handle(m)
				return rmds.Result{}
			}); err != nil {
				t.Fatal(err)
			}
			return bob
		}
		bob, alice := attach(), network.ConnectWith(t, "alice", config)
		work := alice.Join("work", rmds.WriteOnly)
		sendAll(t, work, numbered(1, 3))
		time.Sleep(30 * time.Minute)
		if n := calls.Load(); n < 25 || n > 31 {
			t.Errorf("%d calls in half an hour at one a minute", n)
		}
		for range 6 { // after an unclean end the first attempt is counted before the call; one that was held is taken back
			network.Kill("bob")
			bob = attach()
			time.Sleep(10 * time.Minute)
		}
		expectCounts(t, alice, bob, "0+0 of 3; ")
		away.Store(false)
		time.Sleep(time.Hour)
		expectCounts(t, alice, bob, "3+0 of 3; 3+0; ")
		if list := got.list(); fmt.Sprint(list) != fmt.Sprint(numbered(1, 3)) || fmt.Sprint(attempts) != "[1 1 1]" {
			t.Errorf("handled %v in attempts %v", list, attempts)
		}
	})
}

// As long as nothing was attempted, a message that is held may still expire.
func TestWhatIsHeldExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob, alice := network.Connect(t, "bob"), network.Connect(t, "alice")
		var got collector
		if err := bob.Join("work", rmds.ReadOnly).Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
			if string(m.Data) == "urgent" {
				return rmds.Result{Verdict: rmds.Hold}
			}
			got.handle(m)
			return rmds.Result{}
		}); err != nil {
			t.Fatal(err)
		}
		work := alice.Join("work", rmds.WriteOnly)
		if err := work.SendMessage("urgent", rmds.Timeout(time.Minute)); err != nil {
			t.Fatal(err)
		}
		sendAll(t, work, []string{"patient"})
		time.Sleep(50 * time.Second)
		if a := alice.Accounts()[0]; a.Pending != 2 || len(got.list()) > 0 {
			t.Errorf("while it is held: %+v, %v", a, got.list())
		}
		time.Sleep(time.Minute)
		if a := alice.Accounts()[0]; a.Expired != 1 || a.Handled != 1 || a.Pending != 0 {
			t.Errorf("when it has expired: %+v", a)
		}
	})
}

func TestARedriveThatIsHeldChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob := network.Connect(t, "bob")
		verdict := rmds.Result{Verdict: rmds.Dead, Reason: "no"}
		if err := bob.Join("work", rmds.ReadOnly).Handle(func(context.Context, *rmds.Message) rmds.Result { return verdict }); err != nil {
			t.Fatal(err)
		}
		alice := network.Connect(t, "alice")
		sendAll(t, alice.Join("work", rmds.WriteOnly), []string{"one"})
		expectCounts(t, alice, bob, "0+1 of 1; 0+1; ")
		verdict = rmds.Result{Verdict: rmds.Hold, Reason: "no paper"}
		if err := bob.Redrive(t.Context(), 1); !errors.Is(err, rmds.ErrHeld) || !strings.Contains(err.Error(), "no paper") {
			t.Errorf("redrive: %v", err)
		}
		if l, err := bob.DeadLetter(1); err != nil || l.Reason != "no" || l.Attempts != 1 {
			t.Errorf("%+v, %v", l, err)
		}
	})
}

// The time for a verdict begins when the callback has returned: as long as it runs, it is not called again, and the sender knows that it works.
func TestTimeForAVerdictBeginsAtTheReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		config := rmds.DefaultConfig()
		config.ACKTimeout, config.DeliveryRetryInterval = time.Second, time.Second
		var running, most, calls atomic.Int64
		var late *rmds.Message
		if err := network.ConnectWith(t, "bob", config).Join("work", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if calls.Add(1); string(m.Data) == "slow" {
				time.Sleep(time.Hour)
				_ = m.Ack()
			} else if m.Attempt == 1 { // no verdict in time: that attempt is over, whatever is said of it later
				late = m
			} else {
				if err := late.Ack(); !errors.Is(err, rmds.ErrStale) {
					t.Errorf("a verdict on an attempt that is over: %v", err)
				}
				time.Sleep(10 * time.Second)
				_ = m.Ack()
			}
		}); err != nil {
			t.Fatal(err)
		}
		alice := network.ConnectWith(t, "alice", config)
		sendAll(t, alice.Join("work", rmds.WriteOnly), []string{"slow", "late"})
		time.Sleep(2 * time.Hour)
		if calls.Load() != 3 || most.Load() != 1 {
			t.Errorf("%d calls, %d at a time; want 3, one at a time", calls.Load(), most.Load())
		}
		if a := alice.Accounts()[0]; a.Handled != 2 || !a.Balanced() {
			t.Errorf("%+v", a)
		}
		if stalls := alice.Mgmt.Statistic()["stalls"]; stalls != 0 {
			t.Errorf("%d stalls of a reader that was at work", stalls)
		}
	})
}

// TestAHeldChannelIsLeftAndJoinedAgain: what held the old join up is not said of the next, for a sender does not send again to a reader that only waits.
func TestAHeldChannelIsLeftAndJoinedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob, alice := network.Connect(t, "bob"), network.Connect(t, "alice")
		holds := bob.Join("work", rmds.ReadOnly)
		if err := holds.Handle(func(context.Context, *rmds.Message) rmds.Result {
			return rmds.Result{Verdict: rmds.Hold, Delay: time.Minute, Reason: "the printer is out of paper"}
		}); err != nil {
			t.Fatal(err)
		}
		work := alice.Join("work", rmds.WriteOnly)
		sendAll(t, work, numbered(1, 3))
		time.Sleep(90 * time.Second)
		if err := holds.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		var got collector
		if err := bob.Join("work", rmds.ReadOnly).OnMessage(got.handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		network.Partition("alice", "bob")
		sendAll(t, work, numbered(4, 6))
		time.Sleep(100 * time.Millisecond)
		network.Heal("alice", "bob")
		time.Sleep(time.Hour)
		if list := got.list(); fmt.Sprint(list) != fmt.Sprint(numbered(4, 6)) {
			t.Errorf("handled %v", list)
		}
		for _, a := range alice.Accounts() {
			if !a.Balanced() || a.Pending != 0 {
				t.Errorf("%+v", a)
			}
		}
	})
}
