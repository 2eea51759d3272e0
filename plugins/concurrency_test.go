package plugins_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// TestManyCallersAndFaults lets calls that work, trap and spin run side by side, with the plugin closed under them in the end.
func TestManyCallersAndFaults(t *testing.T) {
	c := fixture("verdict")
	c.Allow.KV = false
	c.Pool = 3
	h := pluginstest.New(t)
	p := h.Load(t, c)
	c.Name, c.Limits.Timeout = "brief", 20*time.Millisecond
	brief := h.Load(t, c)
	want := map[string]plugins.Verdict{"0": plugins.Ack, "2": plugins.Retry, "t": plugins.Fault, "3": plugins.Dead}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 15 {
				for body, verdict := range want {
					o := p.Handle(context.Background(), &pluginstest.Bodies(body)[0])
					o.Release()
					o.Settle(nil)
					if o.Verdict != verdict {
						t.Errorf("%s: %s, %s", body, o.Verdict, o.Reason)
					}
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for range 10 {
				o := brief.Handle(context.Background(), &pluginstest.Bodies("l")[0])
				o.Release()
				o.Settle(nil)
				if o.Verdict != plugins.Fault || o.Reason != "out of time" {
					t.Errorf("l: %s, %s", o.Verdict, o.Reason)
				}
			}
		})
	}
	wg.Wait()
	if s := p.Stats(); s.Calls != 6*15*4 || s.Faults != 90 || s.Discarded != 90 {
		t.Errorf("%+v", s)
	}
	for range 4 {
		wg.Go(func() {
			for {
				o := p.Handle(context.Background(), &pluginstest.Bodies("0")[0])
				if o.Reason == "not called: plugin is closed" {
					return
				}
			}
		})
	}
	p.Close(t.Context())
	wg.Wait()
}

// TestStatefulCallsTakeTurns counts from many goroutines that commit at their own pace: every number comes once.
func TestStatefulCallsTakeTurns(t *testing.T) {
	h, c := pluginstest.New(t), fixture("counter")
	c.Pool = 4
	p := h.Load(t, c)
	var mu sync.Mutex
	seen := make(map[int]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				o := count(p, "x")
				if o.Verdict != plugins.Ack {
					t.Errorf("%s, %s", o.Verdict, o.Reason)
					o.Release()
					return
				}
				mu.Lock() // the commit order is the order of calls, because the turn is not released yet
				h.State.Apply("counter", o.Effects.State)
				seen[int(o.Effects.Emits[0].Body[0])] = true
				mu.Unlock()
				o.Release()
				o.Settle(nil)
			}
		})
	}
	wg.Wait()
	if len(seen) != 200 {
		t.Errorf("%d numbers, want 200", len(seen))
	}
}
