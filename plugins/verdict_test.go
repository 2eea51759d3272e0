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

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		body           string
		filter, handle plugins.Verdict
		reason         string // contained in both
		retryAfter     time.Duration
		discards       bool
	}{
		{"0", plugins.Pass, plugins.Ack, "a reason", 0, false},
		{"w", plugins.Pass, plugins.Ack, "", 0, false},
		{"1", plugins.Drop, plugins.Fault, "a reason", 0, false},
		{"2", plugins.Retry, plugins.Retry, "a reason", 0, false},
		{"d", plugins.Retry, plugins.Retry, "a reason", 1500 * time.Millisecond, false},
		{"3", plugins.Dead, plugins.Dead, "a reason", 0, false},
		{"4", plugins.Fault, plugins.Fault, "a reason (returned 4, which is no verdict here)", 0, false},
		{"/", plugins.Fault, plugins.Fault, "returned -1", 0, false},
		{"t", plugins.Fault, plugins.Fault, "wasm error: unreachable in ", 0, true},
		{"x", plugins.Fault, plugins.Fault, "exited with code 9", 0, true},
		{"l", plugins.Fault, plugins.Fault, "out of time", 0, true},
		{"s", plugins.Fault, plugins.Fault, "out of time", 0, true},
		{"r", plugins.Fault, plugins.Fault, "", 0, true},
	} {
		t.Run(c.body, func(t *testing.T) {
			config := fixture("verdict")
			if c.reason == "out of time" {
				config.Limits.Timeout = 50 * time.Millisecond
			}
			h := pluginstest.New(t)
			p := h.Load(t, config)
			message := pluginstest.Bodies(c.body)[0]
			for _, use := range []struct {
				name string
				call func(context.Context, *plugins.Message) plugins.Outcome
				want plugins.Verdict
			}{{"filter", p.Filter, c.filter}, {"handle", p.Handle, c.handle}} {
				began, before := time.Now(), p.Stats()
				o := use.call(t.Context(), &message)
				h.Commit(p, o)
				if o.Verdict != use.want || !strings.Contains(o.Reason, c.reason) || o.RetryAfter != c.retryAfter {
					t.Errorf("%s: %s, %q, %s; want %s, %q, %s", use.name, o.Verdict, o.Reason, o.RetryAfter, use.want, c.reason, c.retryAfter)
				}
				committed := use.want == plugins.Pass || use.want == plugins.Drop
				if got := len(o.Effects.Emits) + len(o.Effects.State); got != map[bool]int{true: 2, false: 0}[committed] {
					t.Errorf("%s: %d effects", use.name, got)
				}
				if d := p.Stats().Discarded - before.Discarded; d != map[bool]uint64{true: 1, false: 0}[c.discards] {
					t.Errorf("%s: %d instances discarded", use.name, d)
				}
				if d := time.Since(began); d > patience {
					t.Errorf("%s took %s", use.name, d)
				}
				o = served(t, func() plugins.Outcome {
					o := use.call(t.Context(), &pluginstest.Bodies("0")[0])
					h.Commit(p, o)
					return o
				})
				if o.Verdict != plugins.Pass {
					t.Errorf("%s: the next call gives %s, %s", use.name, o.Verdict, o.Reason)
				}
			}
		})
	}
}

func TestCollectionGoesOnWhileAGuestSpins(t *testing.T) {
	config := fixture("verdict")
	config.Limits.Timeout = time.Hour
	h := pluginstest.New(t)
	p := h.Load(t, config)
	done := make(chan plugins.Outcome)
	go func() { done <- p.Handle(context.Background(), &pluginstest.Bodies("l")[0]) }()
	for p.Stats().Instances == 0 {
		runtime.Gosched()
	}
	began := time.Now()
	for cycles := 0; cycles < 3 || time.Since(began) < 300*time.Millisecond; cycles++ {
		runtime.GC() // would wait for ever for a guest that cannot be stopped
	}
	select {
	case o := <-done:
		t.Fatalf("the guest ended by itself: %s, %q", o.Verdict, o.Reason)
	default:
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ended); err != nil {
		t.Error(err)
	}
	if o := <-done; o.Verdict == plugins.Ack {
		t.Errorf("%s, %q", o.Verdict, o.Reason)
	}
}

func TestStats(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("verdict"))
	h.Run(p, pluginstest.Bodies("0", "0", "1", "2", "3", "3", "3", "t")...)
	s := p.Stats()
	got := fmt.Sprint(s.Calls, s.Passed, s.Dropped, s.Retried, s.Dead, s.Faults, s.Instances, s.Discarded)
	if got != "8 2 1 1 3 1 1 1" {
		t.Errorf("stats are %s", got)
	}
}

func TestMemoryLimit(t *testing.T) {
	c := fixture("memory")
	c.Limits.Memory = 4 << 20
	// Three more MiB fit beside the first page; the guest returns how many it got, and 3 is the verdict Dead.
	if o := pluginstest.Run(t, c, pluginstest.Bodies("x")...)[0]; o.Verdict != plugins.Dead {
		t.Errorf("verdict %s, %s", o.Verdict, o.Reason)
	}
}

func TestFloodOfEffects(t *testing.T) {
	for _, c := range []struct {
		limits               plugins.Limits
		size, emits, keys    int
		atLeastKeys, maxKeys int
	}{
		{plugins.Limits{Effects: 64 << 20}, 1, 1000, 20000, 20000, 20000},
		{plugins.Limits{Emits: 7, Effects: 64 << 20}, 1, 7, 20000, 20000, 20000},
		{plugins.Limits{Effects: 1 << 20}, 100_000, 5, 0, 4, 6}, // ten of 100,000 bytes fit into 1 MiB, every second an emit
		{plugins.Limits{Effects: 1 << 20, Value: 10}, 100_000, 10, 0, 0, 0},
	} {
		config := fixture("flood")
		config.Limits = c.limits
		config.Limits.Timeout = patience
		o := pluginstest.Run(t, config, plugins.Message{Body: make([]byte, c.size)})[0]
		if o.Verdict != plugins.Ack || len(o.Effects.Emits) != c.emits || len(o.Effects.State) < c.atLeastKeys || len(o.Effects.State) > c.maxKeys {
			t.Errorf("%+v: %s, %d emits, %d keys", c, o.Verdict, len(o.Effects.Emits), len(o.Effects.State))
		}
	}
}

func TestOutcomesStayWhenCallsGoOn(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("counter"))
	outcomes := h.Run(p, pluginstest.Bodies(strings.Split(strings.Repeat("x", 20), "")...)...)
	for i, o := range outcomes {
		if got := o.Effects.Emits[0].Body[0]; int(got) != i+1 {
			t.Errorf("outcome %d says %d", i, got)
		}
		if got := o.Effects.State[0].Value[0]; int(got) != i+1 {
			t.Errorf("outcome %d stores %d", i, got)
		}
	}
}

func TestAssemblyScriptAbort(t *testing.T) {
	if o := pluginstest.Run(t, fixture("assembly"), pluginstest.Bodies("x")...)[0]; o.Verdict != plugins.Fault || o.Reason != "aborted: hi at a.ts:3:7" {
		t.Errorf("%s, %q", o.Verdict, o.Reason)
	}
}

func TestStateFailureIsNotTheGuests(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("counter"))
	h.State.Fail(errors.New("disk gone"))
	for range 5 {
		if o := h.Run(p, pluginstest.Bodies("x")...)[0]; o.Verdict != plugins.Retry || !strings.Contains(o.Reason, "disk gone") {
			t.Fatalf("%s, %q", o.Verdict, o.Reason)
		}
	}
	if err := p.Health(t.Context()); err != nil {
		t.Errorf("the store's failures count as the plugin's: %v", err)
	}
	h.State.Fail(nil)
	if o := h.Run(p, pluginstest.Bodies("x")...)[0]; o.Verdict != plugins.Ack || o.Effects.State[0].Value[0] != 1 {
		t.Errorf("afterwards: %s, %q", o.Verdict, o.Reason)
	}
}

func TestCommand(t *testing.T) {
	h, c := pluginstest.New(t), fixture("command")
	c.Allow = plugins.Allow{Emit: []string{"results"}} // without keys its calls need no turns
	p := h.Load(t, c)
	if p.Kind() != plugins.Command|plugins.Filters|plugins.Handles {
		t.Errorf("kind is %b", p.Kind())
	}
	filtered := func(p *plugins.Plugin, body string) plugins.Outcome {
		return p.Filter(t.Context(), &plugins.Message{
			ID: "m-1", Channel: "in", Body: []byte(body), Headers: []plugins.Header{{"content-type", "text"}, {"Content-Type", "other"}},
		})
	}
	filter := func(body string) plugins.Outcome { return filtered(p, body) }
	for _, x := range []struct {
		body string
		want plugins.Verdict
	}{{"hello", plugins.Pass}, {"hello0", plugins.Pass}, {"a1", plugins.Drop}, {"a2", plugins.Retry}, {"a3", plugins.Dead}, {"a4", plugins.Fault}} {
		o := filter(x.body)
		if o.Verdict != x.want || (o.Verdict == plugins.Pass && string(o.Body) != x.body) {
			t.Errorf("%s: %s, %q, %q", x.body, o.Verdict, o.Reason, o.Body)
		}
	}
	for _, v := range []string{"RMDS_ID=m-1\x00", "RMDS_CHANNEL=in\x00", "RMDS_HEADER_CONTENT_TYPE=text\x00"} {
		if o := filter("E"); !strings.Contains(string(o.Body), v) || !o.Changed {
			t.Errorf("environment lacks %q: %q", v, o.Body)
		}
	}
	o := p.Handle(t.Context(), &pluginstest.Bodies("hello")[0])
	if o.Verdict != plugins.Ack || len(o.Effects.Emits) != 1 || o.Effects.Emits[0].Channel != "results" || string(o.Effects.Emits[0].Body) != "hello" {
		t.Errorf("handle: %s, %q, %+v", o.Verdict, o.Reason, o.Effects)
	}
	c.Name, c.Limits.Timeout = "brief", 100*time.Millisecond
	brief := h.Load(t, c)
	if o := filtered(brief, "l"); o.Verdict != plugins.Fault || o.Reason != "out of time" {
		t.Errorf("endless: %s, %q", o.Verdict, o.Reason)
	}
	if o := served(t, func() plugins.Outcome { return filtered(brief, "hello") }); o.Verdict != plugins.Pass {
		t.Errorf("after an endless one: %s, %q", o.Verdict, o.Reason)
	}
}
