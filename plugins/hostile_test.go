package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// collecting runs the collector over and over while f runs, at least once, and fails if a collection takes long or f does not come back: a
// guest that cannot be stopped for a collection would hold it up.
func collecting(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for began := time.Now(); ; {
		cycle := time.Now()
		runtime.GC()
		if took := time.Since(cycle); took > patience/2 {
			t.Errorf("a collection took %s", took)
		}
		select {
		case <-done:
			return
		default:
		}
		if time.Since(began) > patience {
			t.Fatal("the guest goes on")
		}
	}
}

// TestHostileGuests lets a guest do its worst: each time the call ends as a fault that is counted and logged, the collector runs meanwhile, and
// the next call is served.
func TestHostileGuests(t *testing.T) {
	const late = "out of time"
	for _, c := range []struct{ name, body, reason string }{
		{"endless loop", "l", late},
		{"endless work", "w", late},
		{"exponential recursion", "e", late},
		{"exponential recursion through the table", "i", late},
		{"deep recursion", "d", "stack overflow"},
		{"memory growth", "g", late},
		{"table growth", "t", "wasm error: unreachable"},
		{"a huge table", "T", "wasm error: unreachable"},
		{"bulk operations", "f", late},
		{"a flood on standard output", "o", late},
		{"a flood of log lines", "L", late},
		{"a flood of emits", "E", late},
		{"a flood of keys", "k", late},
		{"a flood of counters", "S", late},
		{"sleep", "s", late},
		{"a bad pointer to read to", "p", "bad pointer given to read: 4096 bytes at 4294967280"},
		{"a bad pointer to emit from", "n", "bad pointer given to emit: 4294967295 bytes at 65536"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, config := pluginstest.New(t), fixture("hostile")
			if c.reason == late {
				config.Limits.Timeout = 100 * time.Millisecond
			}
			p := h.Load(t, config)
			message := pluginstest.Bodies(c.body)[0]
			collecting(t, func() {
				o := p.Handle(context.Background(), &message)
				h.Commit(p, o)
				if o.Verdict != plugins.Fault || !strings.Contains(o.Reason, c.reason) || !o.Effects.Empty() {
					t.Errorf("%s, %q, effects %v", o.Verdict, o.Reason, o.Effects)
				}
			})
			if s := p.Stats(); s.Faults != 1 || s.Discarded != 1 {
				t.Errorf("%d faults, %d instances discarded", s.Faults, s.Discarded)
			}
			if want := fmt.Sprintf(`"fault":"%s`, c.reason); !strings.Contains(h.Log.String(), want) {
				t.Errorf("the log lacks %s", want)
			}
			if o := served(t, func() plugins.Outcome { return h.Run(p, pluginstest.Bodies("0")...)[0] }); o.Verdict != plugins.Ack {
				t.Errorf("the next call: %s, %q", o.Verdict, o.Reason)
			}
		})
	}
}

// TestHostileStarts loads guests that do not come out of what runs at their start.
func TestHostileStarts(t *testing.T) {
	for _, name := range []string{"loop_start", "hostile_initialize", "hostile_init", "hostile_start_recursion"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, config := pluginstest.New(t), fixture(name)
			config.Limits.Timeout = time.Millisecond
			_, err := h.Host.Load(t.Context(), config)
			if !errors.Is(err, plugins.ErrStart) || !strings.HasSuffix(err.Error(), "out of time") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// TestPoison lets every second message trap: the others pass, each fault costs one instance, and none of them is held up for long.
func TestPoison(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("hostile"))
	for range 20 {
		o := h.Run(p, pluginstest.Bodies("p", "0")...)
		if o[0].Verdict != plugins.Fault || o[1].Verdict != plugins.Ack {
			t.Fatalf("%s, %s", o[0].Verdict, o[1].Verdict)
		}
	}
	if s := p.Stats(); s.Faults != 20 || s.Discarded != 20 || s.Instances != 21 {
		t.Errorf("%+v", s)
	}
}
