package engine_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// TestALoopEnds lets two nodes send each message back to each other over two channels.
func TestALoopEnds(t *testing.T) {
	for name, delay := range map[string]time.Duration{"at once": 0, "delayed": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := enginetest.NewNetwork(t)
				alice, bob := network.Connect(t, "alice"), network.Connect(t, "bob")
				there := alice.Join("there", rmds.WriteOnly)
				bob.Join("back", rmds.WriteOnly)
				var calls atomic.Int64
				for _, at := range []struct {
					ch *rmds.Channel
					to string
				}{{bob.Join("there", rmds.ReadOnly), "back"}, {alice.Join("back", rmds.ReadOnly), "there"}} {
					if err := at.ch.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
						calls.Add(1)
						return rmds.Result{Effects: rmds.Effects{Emits: []rmds.Emit{{Channel: at.to, Data: m.Data, Delay: delay}}}}
					}); err != nil {
						t.Fatal(err)
					}
				}
				if err := there.SendMessage("round"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				limit := int64(rmds.DefaultConfig().HopLimit)
				if n := calls.Load(); n != limit+1 {
					t.Errorf("%d calls, want %d and the one that is refused", n, limit)
				}
				var letters []rmds.DeadLetter
				for _, c := range []*rmds.Connection{alice, bob} {
					list, err := c.DeadLetters(rmds.DeadLetterFilter{})
					if err != nil {
						t.Fatal(err)
					}
					letters = append(letters, list...)
					allBalanced(t, c)
				}
				if len(letters) != 1 || !strings.Contains(letters[0].Reason, "hop limit reached") || !strings.Contains(letters[0].Reason, "16") {
					t.Errorf("dead letters: %+v", letters)
				}
			})
		})
	}
}
