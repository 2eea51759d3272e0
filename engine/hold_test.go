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
		time.Sleep(2 * time.Hour)
		if n := calls.Load(); n < 100 || n > 122 {
			t.Errorf("%d calls in two hours at one a minute", n)
		}
		for range 6 { // after an unclean end the first attempt is counted before the call; one that was held is taken back
			network.Kill("bob")
			bob = attach()
			time.Sleep(time.Hour)
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
