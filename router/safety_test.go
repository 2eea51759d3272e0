package router

import (
	"fmt"
	"strings"
	"testing"

	"github.com/getevo/rmds-router/router/admin"
)

// sent waits until the sender's messages on a channel have all come to their end at a reader elsewhere.
func sent(t testing.TB, r *Router, channel string, accepted int64) {
	t.Helper()
	eventually(t, func() (bool, string) {
		var last admin.Account
		for _, a := range r.Status().Accounts {
			if a.Channel == channel && !a.Ended {
				last = a
			}
		}
		return last.Accepted == accepted && last.Pending == 0, fmt.Sprintf("%+v", last)
	})
}

// noticed waits until a sender knows of the reader of a channel, so that what it sends is kept for it.
func noticed(t testing.TB, r *Router, channel string) {
	t.Helper()
	eventually(t, func() (bool, string) {
		for _, a := range r.Status().Accounts {
			if a.Channel == channel && !a.Ended {
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", r.Status().Accounts)
	})
}

// TestAPoolKeepsTheOrderOfEachLane sends from two nodes through a filter with four instances.
func TestAPoolKeepsTheOrderOfEachLane(t *testing.T) {
	h := newFolder(t)
	hub := h.start(`
node: {id: hub}
delivery: {retry_interval: 5ms, max_retry_attempts: 3, parallel_senders: 2}
plugins: [{name: f, file: WASM/empty.wasm, pool: 4, limits: {timeout: 10s}}]
channels: [{name: in, mode: read, inbound: [f], consumer: out}]
outputs: [{name: out, type: file, path: DIR/out.txt}]
`)
	const each = 300
	var edges []*Router
	for i := range 2 {
		r := newFolder(t).start(fmt.Sprintf("node: {id: edge%d}\n", i) + "nats: {servers: [\"" + hub.NATSURL() + "\"]}\nchannels: [{name: in, mode: write}]\n")
		noticed(t, r, "in")
		for n := range each {
			send(t, r, "in", fmt.Sprintf("%d %d", i, n))
		}
		edges = append(edges, r)
	}
	for _, r := range edges {
		sent(t, r, "in", each)
	}
	var next [2]int
	for _, line := range strings.Split(strings.TrimSpace(h.read("out.txt")), "\n") {
		var i, n int
		if _, err := fmt.Sscanf(line, "%d %d", &i, &n); err != nil || n != next[i] {
			t.Fatalf("got %q, want message %d (%v)", line, next[i], err)
		}
		next[i]++
	}
	if next != [2]int{each, each} {
		t.Errorf("came out: %v", next)
	}
	if got := hub.Status().Plugins[0].Calls; got != 2*each {
		t.Errorf("%d calls", got)
	}
}

// TestOnErrorOnBothWays lets the first of two filters trap.
func TestOnErrorOnBothWays(t *testing.T) {
	for _, c := range []struct {
		way, onError       string
		refused            bool
		handled, dead      int64
		written            string
		firstMore, another bool // more than one fault; the second filter was called for it
	}{
		{way: "inbound", onError: "hold", handled: 1, dead: 1, written: "0 good\n", firstMore: true},
		{way: "inbound", onError: "pass", handled: 2, written: "t bad\n0 good\n", another: true},
		{way: "inbound", onError: "dead", handled: 1, dead: 1, written: "0 good\n"},
		{way: "outbound", onError: "hold", refused: true, handled: 1, written: "0 good\n"},
		{way: "outbound", onError: "pass", handled: 2, written: "t bad\n0 good\n", another: true},
		{way: "outbound", onError: "dead", refused: true, handled: 1, written: "0 good\n"},
	} {
		t.Run(c.way+" "+c.onError, func(t *testing.T) {
			f := newFolder(t)
			r := f.start(quick + `
plugins:
  - {name: f, file: WASM/verdict.wasm, on_error: ` + c.onError + `, limits: {timeout: 10s}}
  - {name: g, file: WASM/empty.wasm}
channels: [{name: in, own: true, ` + c.way + `: [f, g], consumer: out}]
outputs: [{name: out, type: file, path: DIR/out.txt}]
`)
			if err := trySend(t, r, "in", "t bad"); (err != nil) != c.refused {
				t.Errorf("send: %v", err)
			}
			send(t, r, "in", "0 good")
			if a := account(t, r, "in", c.handled+c.dead); a.Handled != c.handled || a.Dead != c.dead {
				t.Errorf("%+v", a)
			}
			if got := f.read("out.txt"); got != c.written {
				t.Errorf("out: %q", got)
			}
			p := r.Status().Plugins
			if p[0].Faults == 0 || (p[0].Faults > 1) != c.firstMore || (p[1].Calls == 2) != c.another {
				t.Errorf("%d faults, %d calls of the second", p[0].Faults, p[1].Calls)
			}
		})
	}
}

// TestHostileMessagesAreKept lets a guest do all the harm that its fixture knows, one message each, between messages that it serves: every
// harm is a counted fault, its message a dead letter, and the router goes on.
func TestHostileMessagesAreKept(t *testing.T) {
	f := newFolder(t)
	r := f.start(`
delivery: {retry_interval: 5ms, max_retry_attempts: 1}
plugins: [{name: bad, file: WASM/hostile.wasm, allow: {emit: ["*"], kv: true}, limits: {timeout: 100ms}}]
channels:
  - {name: in, own: true, consumer: bad}
  - {name: out, own: true, consumer: none}
`)
	const harm = "lweidgtTfoLEkSspn"
	for _, h := range harm {
		send(t, r, "in", string(h), "0")
	}
	end := collect(t)
	eventually(t, func() (bool, string) {
		a := r.Status().Accounts[0]
		return a.Channel == "in" && a.Accepted == int64(2*len(harm)) && a.Pending == 0, fmt.Sprintf("%+v", r.Status().Accounts)
	})
	end()
	a := account(t, r, "in", int64(2*len(harm)))
	if p := r.Status().Plugins[0]; a.Dead < int64(len(harm)) || p.Faults < int64(len(harm)) || a.Dead != p.Faults {
		t.Errorf("%+v, %d faults", a, p.Faults)
	}
	if n := strings.Count(f.log.String(), "plugin failed"); n < len(harm) {
		t.Errorf("%d faults in the log", n)
	}
}

// TestAGuestThatAlwaysTraps is suspended, says so, and loses nothing.
func TestAGuestThatAlwaysTraps(t *testing.T) {
	f := newFolder(t)
	r := f.start(`
delivery: {retry_interval: 5ms, max_retry_attempts: 2}
plugins: [{name: bad, file: WASM/verdict.wasm, limits: {timeout: 10s}}]
channels: [{name: in, own: true, consumer: bad}]
`)
	const messages = 5
	for range messages {
		send(t, r, "in", "t")
	}
	eventually(t, func() (bool, string) {
		p := r.Status().Plugins[0]
		return p.Faults >= 3 && strings.HasPrefix(p.State, "suspended for "), fmt.Sprintf("%+v", p)
	})
	if a := account(t, r, "in", messages); a.Dead != messages {
		t.Errorf("%+v", a)
	}
	send(t, r, "in", "0")
	if a := account(t, r, "in", messages+1); a.Handled != 1 {
		t.Errorf("%+v", a)
	}
}
