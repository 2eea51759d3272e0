package router

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/admin"
)

const quick = "delivery: {retry_interval: 5ms, max_retry_attempts: 3}\n"

func TestALoneNodeWorks(t *testing.T) {
	f := newFolder(t)
	r := f.start("channels: [{name: messages, own: true, consumer: none}]\n")
	var mu sync.Mutex
	var seen []string
	stop, err := r.Watch("messages", func(e admin.Event, _ int64) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, e.Direction+" "+e.Data)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	receipt, err := r.Send(t.Context(), "messages", admin.Outgoing{Data: []byte("hello"), Headers: []admin.Header{{Name: "a", Value: "b"}}})
	if err != nil || receipt.ID == "" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if a := account(t, r, "messages", 1); a.Handled != 1 {
		t.Errorf("%+v", a)
	}
	eventually(t, func() (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(seen, ",") == "in hello", strings.Join(seen, ",")
	})
}

// The fixture verdict.wasm does what the first byte of a message says, after an emit to alerts and a key written.
const filtered = quick + `
plugins:
  - {name: f, file: WASM/verdict.wasm, on_error: dead, allow: {emit: [alerts], kv: true}}
channels:
  - {name: in, own: true, inbound: [f], consumer: out}
  - {name: alerts, own: true, consumer: log}
outputs:
  - {name: out, type: file, path: DIR/out.txt}
  - {name: log, type: file, path: DIR/alerts.txt}
`

func TestInboundVerdictsAndTheirEffects(t *testing.T) {
	f := newFolder(t)
	r := f.start(filtered)
	send(t, r, "in", "0 passes", "1 is dropped", "2 is held until it is dead", "3 is dead", "t traps", "0 passes too")
	a := account(t, r, "in", 6)
	if a.Handled != 3 || a.Dead != 3 {
		t.Errorf("%+v", a)
	}
	account(t, r, "alerts", 3)
	if faults := r.Status().Plugins[0].Faults; faults != 1 { // on_error: dead, so there is no second try
		t.Errorf("%d faults", faults)
	}
	if got := f.read("out.txt"); got != "0 passes\n0 passes too\n" {
		t.Errorf("out: %q", got)
	}
	if got := f.read("alerts.txt"); got != "0\n1\n0\n" {
		t.Errorf("alerts: %q", got)
	}
	entries, err := r.PluginState("f", nil, nil, 10)
	if err != nil || len(entries) != 1 || string(entries[0].Key) != "alerts" || string(entries[0].Value) != "0" {
		t.Errorf("%q, %v", entries, err)
	}
}

func TestAFaultyFilterMayLetPass(t *testing.T) {
	f := newFolder(t)
	r := f.start(strings.Replace(filtered, "on_error: dead", "on_error: pass", 1))
	send(t, r, "in", "t traps", "0 passes")
	if a := account(t, r, "in", 2); a.Handled != 2 {
		t.Errorf("%+v", a)
	}
	account(t, r, "alerts", 1)
	if got := f.read("out.txt"); got != "t traps\n0 passes\n" {
		t.Errorf("out: %q", got)
	}
}

// The fixture counter.wasm adds one to n and emits the sum.
const counting = quick + `
plugins:
  - {name: count, file: WASM/counter.wasm, allow: {emit: [out], kv: true}}
channels:
  - {name: a, own: true, consumer: count}
  - {name: b, own: true, consumer: count}
  - {name: out, own: true, consumer: none}
`

func TestEffectsHappenOnceAcrossRestartsAndChannels(t *testing.T) {
	f := newFolder(t)
	const each = 300
	for start := range 2 {
		r := f.start(counting)
		var senders sync.WaitGroup
		for _, channel := range []string{"a", "b"} {
			senders.Go(func() {
				for i := range each {
					if _, err := r.Send(t.Context(), channel, admin.Outgoing{Data: fmt.Appendf(nil, "m%d", i)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		senders.Wait()
		total := int64(start+1) * each
		if start == 0 { // in the middle of it all
			closeRouter(t, r)
			r = f.start(counting)
		}
		account(t, r, "a", total)
		account(t, r, "b", total)
		account(t, r, "out", 2*total)
		if n := counter(t, r, "count", "n"); n != 2*total {
			t.Errorf("counted %d of %d", n, 2*total)
		}
		closeRouter(t, r)
	}
}

func TestWhatAFailedAttemptDidIsDiscarded(t *testing.T) {
	f := newFolder(t)
	r := f.start(counting)
	send(t, r, "a", "x", "!never", "y", "!never", "z")
	if a := account(t, r, "a", 5); a.Handled != 3 || a.Dead != 2 {
		t.Errorf("%+v", a)
	}
	if n := counter(t, r, "count", "n"); n != 3 {
		t.Errorf("counted %d, want 3", n)
	}
}

func TestPluginsMeetingInOppositeOrdersDoNotBlock(t *testing.T) {
	f := newFolder(t)
	r := f.start(quick + `
plugins:
  - {name: p, file: WASM/verdict.wasm, allow: {emit: [alerts], kv: true}}
  - {name: q, file: WASM/verdict.wasm, allow: {emit: [alerts], kv: true}}
channels:
  - {name: x, own: true, inbound: [p], consumer: q}
  - {name: y, own: true, inbound: [q], consumer: p}
  - {name: alerts, own: true, outbound: [q, p], consumer: none}
`)
	var senders sync.WaitGroup
	for _, channel := range []string{"x", "y"} {
		senders.Go(func() {
			for range 100 {
				if _, err := r.Send(t.Context(), channel, admin.Outgoing{Data: []byte("0")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	x, y := account(t, r, "x", 100), account(t, r, "y", 100)
	if x.Handled+x.Dead != 100 || y.Handled+y.Dead != 100 {
		t.Errorf("%+v %+v", x, y)
	}
}

const outbound = quick + `
plugins:
  - {name: f, file: WASM/verdict.wasm, allow: {emit: [alerts], kv: true}}
channels:
  - {name: in, own: true, outbound: [f], consumer: out}
  - {name: alerts, own: true, consumer: none}
outputs:
  - {name: out, type: file, path: DIR/out.txt}
`

func TestOutboundVerdictsReachTheSender(t *testing.T) {
	f := newFolder(t)
	r := f.start(outbound)
	for body, want := range map[string]error{"0": nil, "1": nil, "2": admin.ErrHeld, "3": admin.ErrRejected, "t": admin.ErrHeld} {
		receipt, err := r.Send(t.Context(), "in", admin.Outgoing{Data: []byte(body)})
		if !errors.Is(err, want) || receipt.Dropped != (body == "1") {
			t.Errorf("%s: %+v, %v, want %v", body, receipt, err, want)
		}
	}
	account(t, r, "in", 1)
	account(t, r, "alerts", 2) // of the one that passed and the one that was dropped
}

func TestInputsGoThroughOutboundFilters(t *testing.T) {
	f := newFolder(t)
	text := outbound + "inputs: [{name: lines, type: file, path: DIR/in.log, channel: in}]\n"
	if err := os.WriteFile(f.file("in.log"), []byte("0 one\n1 dropped\n3 rejected\n0 two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := f.start(text)
	account(t, r, "in", 2)
	closeRouter(t, r)
	r = f.start(text)
	account(t, r, "in", 2) // nothing again
	account(t, r, "alerts", 3)
	if got := f.read("out.txt"); got != "0 one\n0 two\n" {
		t.Errorf("out: %q", got)
	}
	if in := r.Status().Inputs; len(in) != 1 || in[0].Name != "lines" || in[0].Rejected != 1 {
		t.Errorf("the status shows %+v", in)
	}
	key, ok, err := r.engine.State().Next(rejectedNamespace+"lines", nil)
	if err != nil || !ok {
		t.Fatalf("the rejected line is not kept: %v", err)
	}
	value, _, err := r.engine.State().Get(rejectedNamespace+"lines", key)
	var letter struct {
		Reason string
		Data   []byte
	}
	if err != nil || json.Unmarshal(value, &letter) != nil || string(letter.Data) != "3 rejected" || !strings.Contains(letter.Reason, "a reason") {
		t.Errorf("%s, %v", value, err)
	}
}

func TestAHeldLineWaitsAndKeepsItsPlace(t *testing.T) {
	f := newFolder(t)
	text := outbound + "inputs: [{name: lines, type: file, path: DIR/in.log, channel: in}]\n"
	if err := os.WriteFile(f.file("in.log"), []byte("0 one\n2 held\n0 two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := f.start(text)
	account(t, r, "in", 1)
	eventually(t, func() (bool, string) {
		return strings.Contains(f.log.String(), "the input waits and keeps its place"), f.log.String()
	})
	closeRouter(t, r)
	r = f.start(strings.Replace(text, "outbound: [f], ", "", 1))
	account(t, r, "in", 3)
	if got := f.read("out.txt"); got != "0 one\n2 held\n0 two\n" {
		t.Errorf("out: %q", got)
	}
}

func TestTicksCommit(t *testing.T) {
	f := newFolder(t)
	r := f.start(`
plugins:
  - {name: tick, file: WASM/probe.wasm, tick: 10ms, allow: {emit: [out], kv: true}}
channels:
  - {name: out, own: true, consumer: none}
`)
	eventually(t, func() (bool, string) {
		s := fmt.Sprintf("%+v", r.Status().Accounts)
		return counter(t, r, "tick", "out") > 0 && r.Status().Statistic["processed"] >= 2, s
	})
}

func TestLeavesWhatTheConfigurationHasNoMore(t *testing.T) {
	f := newFolder(t)
	r := f.start("channels: [{name: a, consumer: none}, {name: b, mode: write}]\n")
	closeRouter(t, r)
	r = f.start("channels: [{name: b, mode: read, consumer: none}]\n")
	joined := r.engine.Joined()
	if len(joined) != 1 || joined[0].Channel != "b" || joined[0].Mode != engine.ReadOnly {
		t.Errorf("joined %+v", joined)
	}
}

func TestAChannelWithoutConsumerSaysSo(t *testing.T) {
	f := newFolder(t)
	r := f.start("channels: [{name: a}]\n")
	if s := r.Status(); len(s.Channels) != 1 || !strings.Contains(s.Channels[0].State, "no consumer") {
		t.Errorf("%+v", s.Channels)
	}
}

func TestTwoNodes(t *testing.T) {
	a, b := newFolder(t), newFolder(t)
	hub := a.start("node: {id: hub}\nchannels: [{name: c, mode: read, consumer: out}]\noutputs: [{name: out, type: file, path: DIR/out.txt, format: json}]\n")
	edge := b.start("node: {id: edge}\nnats: {servers: [\"" + hub.NATSURL() + "\"]}\nchannels: [{name: c, mode: write}]\n")
	for i := range 100 {
		send(t, edge, "c", fmt.Sprint(i))
	}
	eventually(t, func() (bool, string) { return strings.Count(a.read("out.txt"), "\n") >= 100, a.read("out.txt") })
	for i, line := range strings.Split(strings.TrimSpace(a.read("out.txt")), "\n") {
		var got struct{ Sender, Data string }
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Sender != "edge" || got.Data != fmt.Sprint(i) {
			t.Fatalf("line %d: %s, %v", i, line, err)
		}
	}
}

func TestSendErrors(t *testing.T) {
	f := newFolder(t)
	r := f.start("delivery: {max_message_size: 1KiB}\nchannels: [{name: a, mode: read, consumer: none}, {name: b, mode: write}]\n")
	for name, c := range map[string]struct {
		channel string
		size    int
		want    error
	}{
		"unknown channel": {"x", 1, admin.ErrNoChannel},
		"read channel":    {"a", 1, engine.ErrRole},
		"too large":       {"b", 1025, engine.ErrTooLarge},
	} {
		if _, err := r.Send(t.Context(), c.channel, admin.Outgoing{Data: make([]byte, c.size)}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
