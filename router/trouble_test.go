package router

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/config"
	"github.com/getevo/rmds-router/router/connect"
)

// Every error is one line that names its place, and nothing is left behind.
func TestBadStarts(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no exports":   {"plugins:\n  - name: p\n    file: WASM/no_exports.wasm\n", "router.yaml:3: plugins[0].file: plugin p: "},
		"not a filter": {"plugins: [{name: p, file: WASM/counter.wasm, allow: {kv: true}}]\nchannels:\n  - {name: a, inbound: [p]}\n", "router.yaml:3: channels[0].inbound[0]: the plugin p cannot be a filter: "},
		"no tick":      {"plugins: [{name: p, file: WASM/counter.wasm, tick: 1s}]\n", "router.yaml:1: plugins[0].file: plugin p: "},
		"bad output":   {"outputs: [{name: o, type: file, path: /dev/null/x/o.txt}]\nchannels: [{name: a, consumer: o}]\n", "router.yaml:1: outputs[0].path: "},
		"wrong pin":    {"plugins: [{name: p, file: WASM/counter.wasm, sha256: " + strings.Repeat("a", 64) + "}]\n", "router.yaml:1: plugins[0].file: plugin p: "},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			cfg, err := f.load(c.text)
			if err != nil {
				t.Fatal(err)
			}
			var problems config.Problems
			r, err := Start(t.Context(), cfg, Options{Logger: zerolog.Nop()})
			if !errors.As(err, &problems) || !strings.HasPrefix(err.Error(), f.file(c.want)) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, f.file(c.want))
			}
			if r != nil {
				closeRouter(t, r)
			}
			if left, err := os.ReadDir(f.path); err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if _, err := Check(context.Background(), cfg, Options{Logger: zerolog.Nop()}); !errors.As(err, &problems) {
				t.Errorf("check says %v", err)
			}
		})
	}
}

func TestProblemsOfTheDatabase(t *testing.T) {
	f := newFolder(t)
	r := f.start("node: {id: one}\n")
	start := func(text string) error {
		c, err := f.load(text)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Start(t.Context(), c, Options{Logger: zerolog.Nop()})
		if err == nil {
			closeRouter(t, second)
		}
		return err
	}
	if err := start("node: {id: one}\n"); !errors.Is(err, engine.ErrStorageInUse) || !strings.Contains(err.Error(), "storage.path: ") || !strings.Contains(err.Error(), f.file("node.db")) {
		t.Errorf("got %v", err)
	}
	closeRouter(t, r)
	var problems config.Problems
	if err := start("node: {id: two}\n"); !errors.As(err, &problems) || !strings.Contains(err.Error(), "router.yaml:1: node.id: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestTheEmbeddedServerAsksForCredentials(t *testing.T) {
	f := newFolder(t)
	r := f.start("nats: {auth: {user: u, password: p}}\nchannels: [{name: a, own: true, consumer: none}]\n")
	eventually(t, func() (bool, string) { return r.Status().NATS.Connected, "not connected" })
	g := newFolder(t)
	stranger := g.start("nats: {servers: [\"" + r.NATSURL() + "\"]}\n")
	eventually(t, func() (bool, string) {
		return strings.Contains(strings.ToLower(g.log.String()), "authorization"), g.log.String()
	})
	if stranger.Status().NATS.Connected {
		t.Error("let in without credentials")
	}
}

func TestAnOutputThatFailsIsTriedAgain(t *testing.T) {
	f := newFolder(t)
	r := f.start("delivery: {retry_interval: 5ms, max_retry_attempts: 1}\nchannels: [{name: a, own: true, consumer: out}]\noutputs: [{name: out, type: file, path: DIR/dir/out.txt}]\n")
	send(t, r, "a", "one")
	account(t, r, "a", 1)
	// Its file is moved away and a folder stands in its place.
	if err := errors.Join(os.Remove(f.file("dir/out.txt")), os.Mkdir(f.file("dir/out.txt"), 0o700)); err != nil {
		t.Fatal(err)
	}
	sent := int64(1)
	eventually(t, func() (bool, string) { // an output looks for its file once a second
		send(t, r, "a", "two")
		sent++
		return strings.Contains(f.log.String(), "is a directory"), f.log.String()
	})
	if state := r.Status().Channels[0].State; !strings.HasPrefix(state, "blocked since 20") || !strings.Contains(state, "output out: ") || !strings.Contains(state, "is a directory") {
		t.Errorf("the channel's state is %q", state)
	}
	if err := os.Remove(f.file("dir/out.txt")); err != nil {
		t.Fatal(err)
	}
	if a := account(t, r, "a", sent); a.Handled != sent {
		t.Errorf("%+v", a)
	}
	if got := f.read("dir/out.txt"); !strings.HasPrefix(got, "two\n") {
		t.Errorf("got %q", got)
	}
	if state := r.Status().Channels[0].State; state != "" {
		t.Errorf("the channel's state is %q", state)
	}
}

// picky is an output that cannot take everything.
type picky struct{ err error }

func (p *picky) Write(*connect.Record) error { return p.err }
func (p *picky) Close() error                { return nil }

func TestWhatAnOutputWillNeverTakeCostsAttempts(t *testing.T) {
	out := &picky{}
	c := &consumer{router: &Router{log: zerolog.Nop()}, output: out, name: "o"}
	for i, step := range []struct {
		err   error
		want  engine.Result
		state string
	}{
		{nil, engine.Result{}, ""},
		{fmt.Errorf("no JSON: %w", connect.ErrUnfit), engine.Result{Verdict: engine.Retry, Reason: "no JSON: " + connect.ErrUnfit.Error()}, ""},
		{errors.New("away"), engine.Result{Verdict: engine.Hold, Delay: firstHold, Reason: "output o: away"}, "output o: away"},
		{errors.New("gone"), engine.Result{Verdict: engine.Hold, Delay: 2 * firstHold, Reason: "output o: gone"}, "output o: gone"},
		{nil, engine.Result{}, ""},
		{errors.New("away"), engine.Result{Verdict: engine.Hold, Delay: firstHold, Reason: "output o: away"}, "output o: away"},
	} {
		out.err = step.err
		got := c.handle(t.Context(), &engine.Message{})
		if got.Verdict != step.want.Verdict || got.Delay != step.want.Delay || got.Reason != step.want.Reason {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
		if state := c.hold.state(); !strings.HasSuffix(state, step.state) || (state == "") != (step.state == "") {
			t.Errorf("step %d: state %q", i, state)
		}
	}
	var h hold
	for range 20 {
		if wait, _ := h.failed("x", time.Now()); wait > longHold {
			t.Errorf("waits %v", wait)
		}
	}
}
