package engine_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

func noise(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

func TestMessageLargerThanTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		var size atomic.Int64
		if err := network.Connect(t, "bob").Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { size.Add(int64(len(m.Data))); _ = m.Ack() }); err != nil {
			t.Fatal(err)
		}
		small := func(c *rmds.Connection) *rmds.Channel { return c.Join("chat", rmds.WriteOnly) }
		window := rmds.DefaultConfig()
		window.MaxBytesInFlight, window.MaxInFlight = 1000, 1
		alice := small(network.ConnectWith(t, "alice", window))
		for range 3 {
			if err := alice.SendMessage(noise(3 << 20)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		if got := size.Load(); got != 9<<20 {
			t.Errorf("%d bytes arrived, want %d", got, 9<<20)
		}
	})
}

func TestStopBeforeTheEndBringsTheMessageAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		var seen []string
		calls := 0
		err := network.Connect(t, "bob").Join("chat", rmds.ReadOnly).Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
			if calls++; calls <= 2 {
				return rmds.Result{Verdict: rmds.Stop}
			}
			seen = append(seen, string(m.Data))
			return rmds.Result{}
		})
		if err != nil {
			t.Fatal(err)
		}
		alice := network.Connect(t, "alice").Join("chat", rmds.WriteOnly)
		for _, text := range []string{"one", "two", "three"} {
			if err := alice.SendMessage(text); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(seen) != 3 || seen[0] != "one" || seen[1] != "two" || seen[2] != "three" {
			t.Errorf("handled %v", seen)
		}
	})
}

func TestCloseOnAFullDiskReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob := network.Connect(t, "bob")
		if err := bob.Join("chat", rmds.ReadOnly).Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
			return rmds.Result{Effects: rmds.Effects{State: []rmds.StateChange{{Namespace: "x", Key: []byte(m.ID), Value: noise(1 << 20)}}}}
		}); err != nil {
			t.Fatal(err)
		}
		alice := network.Connect(t, "alice").Join("chat", rmds.WriteOnly)
		network.FillDisk("bob", true)
		for range 30 {
			if err := alice.SendMessage("one"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if in := bob.Inbound(); len(in) > 0 && in[0].Handled == 30 {
			t.Fatal("the disk was not full")
		}
		done := make(chan error, 1)
		go func() { done <- bob.Unsubscribe() }()
		select {
		case err := <-done:
			t.Logf("closed: %v", err)
		case <-time.After(time.Hour):
			network.FillDisk("bob", false)
			t.Error("not closed after an hour")
		}
	})
}
