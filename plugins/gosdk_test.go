package plugins_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// TestGoSDK runs a plugin that uses all of the Go SDK.
func TestGoSDK(t *testing.T) {
	c := fixture("gosdk")
	c.File = filepath.Join(t.TempDir(), "gosdk.wasm")
	c.Config, c.Allow.Emit, c.Limits.Timeout = []byte(`{"x":1}`), []string{"out", "moved"}, 3*time.Second
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", c.File, "./testdata/gosdk")
	build.Env = append(build.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h := pluginstest.New(t)
	p := h.Load(t, c)
	if p.Kind() != plugins.Filters|plugins.Handles || !p.Stateful() {
		t.Errorf("kind %b, stateful %v", p.Kind(), p.Stateful())
	}
	goFilter(t, h, p)
	goHandle(t, h, p)
	goFaults(t, h, p)
	if err := p.Health(t.Context()); err != nil {
		t.Errorf("health: %v", err)
	}
	goCall(t, h, p, "unwell")
	if err := p.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "a bit unwell") {
		t.Errorf("health: %v", err)
	}
	p.Close(t.Context())
	if !strings.Contains(h.Log.String(), `"message":"bye"`) {
		t.Errorf("log lacks what is said at the stop:\n%s", h.Log)
	}
}

func goCall(t *testing.T, h *pluginstest.Harness, p *plugins.Plugin, body string) plugins.Outcome {
	t.Helper()
	m := (&script{}).message()
	m.Body = []byte(body)
	o := p.Handle(t.Context(), &m)
	h.Commit(p, o)
	return o
}

func goFilter(t *testing.T, h *pluginstest.Harness, p *plugins.Plugin) {
	bodies := []string{"body new", "channel moved", "channel elsewhere", "header v", "drop", "other"}
	var messages []plugins.Message
	for _, b := range bodies {
		m := (&script{}).message()
		m.Body = []byte(b)
		messages = append(messages, m)
	}
	o := h.Run(p, messages...)
	if string(o[0].Body) != "new" || o[1].Channel != "moved" || o[2].Verdict != plugins.Dead || o[2].Reason != "set channel elsewhere: not granted in the configuration" {
		t.Errorf("body %q, channel %q, other channel %s, %s", o[0].Body, o[1].Channel, o[2].Verdict, o[2].Reason)
	}
	if want := (plugins.Header{Name: "set", Value: "v"}); len(o[3].Headers) != 2 || o[3].Headers[1] != want || o[4].Verdict != plugins.Drop || o[5].Changed {
		t.Errorf("headers %v, drop %s, other changed %v", o[3].Headers, o[4].Verdict, o[5].Changed)
	}
}

func goHandle(t *testing.T, h *pluginstest.Harness, p *plugins.Plugin) {
	o := goCall(t, h, p, "describe")
	want := `true id-1 in node-7 before 3 1099511627776 1000 2000 true "1" true false [{a 1} {b } {a 2}] {"x":1} gosdk {} <nil> true`
	if got := string(o.Effects.Emits[0].Body); got != want {
		t.Errorf("describes itself as\n%s\nwant\n%s", got, want)
	}
	if p.Stats().Custom["described"] != 2 {
		t.Errorf("counters %v", p.Stats().Custom)
	}
	o = goCall(t, h, p, "kv")
	want = "[] <nil>; 5 <nil>; -2 <nil>; <nil> <nil> <nil>; 1000 <nil>; two <nil>; true; <nil>; [a a/1 a/2]; [a a/1 a/2]; [a/1 a/2]; []; true"
	if o.Verdict != plugins.Ack || string(o.Effects.Emits[0].Body) != want {
		t.Errorf("keys: %s, %s, %s\nwant\n%s", o.Verdict, o.Reason, o.Effects.Emits, want)
	}
	o = goCall(t, h, p, "emit hello")
	e := o.Effects.Emits
	if o.Verdict != plugins.Ack || len(e) != 2 || string(e[0].Body) != "hello" || e[0].TTL != time.Second || e[0].Delay != 2*time.Second ||
		e[0].Headers[0] != (plugins.Header{Name: "h", Value: "v"}) || len(e[1].Headers) != 0 {
		t.Errorf("%s, %s, %+v", o.Verdict, o.Reason, e)
	}
	if o = goCall(t, h, p, "denied"); o.Verdict != plugins.Dead || o.Reason != "emit to elsewhere: not granted in the configuration" {
		t.Errorf("%s, %s", o.Verdict, o.Reason)
	}
	if o = goCall(t, h, p, "retry"); o.Verdict != plugins.Retry || o.RetryAfter != 1500*time.Millisecond {
		t.Errorf("%s, %s", o.Verdict, o.RetryAfter)
	}
}

func goFaults(t *testing.T, h *pluginstest.Harness, p *plugins.Plugin) {
	for _, c := range []struct {
		body, reason string
		discards     uint64
	}{
		{"panic", "panic: on purpose at main.go:76 (returned 101, which is no verdict here)", 0},
		{"index", "panic: runtime error: index out of range [5] with length 0 at main.go:78", 0},
		{"exhaust", "wasm error: unreachable", 1},
		{"spin", "out of time", 1},
	} {
		before := p.Stats().Discarded
		o := goCall(t, h, p, c.body)
		if o.Verdict != plugins.Fault || !strings.Contains(o.Reason, c.reason) || p.Stats().Discarded-before != c.discards {
			t.Errorf("%s: %s, %q, %d discarded", c.body, o.Verdict, o.Reason, p.Stats().Discarded-before)
		}
	}
	if !strings.Contains(h.Log.String(), "out of memory") {
		t.Error("the log lacks what Go says on its standard error")
	}
}
