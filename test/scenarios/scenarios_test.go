package scenarios

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/test/internal/node"
)

// outage is how long NATS is away: real time, longer than the time after which nodes count each other as offline.
const outage = 30 * time.Second

// TestNormal is the first scenario: everything runs, and messages are sent.
func TestNormal(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.startNATS()
	c.start("alice", "bob", "lisa", "andy")
	c.send("one", "two", "three")
	c.verify("one", "two", "three")
}

// TestNATSStopsInOperation is the second: NATS stops after the first message, two more are sent meanwhile, NATS comes back.
func TestNATSStopsInOperation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("NATS is away for 30 s: not with -short")
	}
	c := newCluster(t)
	c.startNATS()
	c.start("alice", "bob", "lisa", "andy")
	c.send("one")
	c.allHandled(1)
	c.stopNATS()
	away := time.After(outage)
	c.send("two", "three")
	<-away
	for _, name := range readers {
		if seen := c.seen(name); len(seen) != 1 {
			t.Fatalf("without NATS, %s handled %q", name, seen)
		}
	}
	c.startNATS()
	c.verify("one", "two", "three")
}

// TestStartWithoutNATS is the third: everybody starts without NATS, two messages are sent, NATS comes up.
func TestStartWithoutNATS(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("NATS comes after 30 s: not with -short")
	}
	c := newCluster(t)
	c.start("alice", "bob", "lisa", "andy")
	away := time.After(outage)
	c.send("one", "two")
	if s := c.status("alice"); s.NATS.Connected {
		t.Fatalf("connected to a NATS that is not there: %+v", s.NATS)
	}
	<-away
	c.startNATS()
	c.verify("one", "two")
}

// TestThousandInSequence is the fourth: a thousand messages, each sent when the one before is durable.
func TestThousandInSequence(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.startNATS()
	c.start("alice", "bob", "lisa", "andy")
	var texts []string
	for i := range 1000 {
		texts = append(texts, fmt.Sprintf("message %d", i+1))
	}
	c.send(texts...)
	c.verify(texts...)
}

// verify waits until everything is handled and requires that every reader handled everything once, in the order in which it was
// sent, that both sides' books say so, and that the logs are fit to be read. Then everybody stops when asked to.
func (c *cluster) verify(sent ...string) {
	c.t.Helper()
	begun := time.Now()
	c.allHandled(len(sent))
	c.t.Logf("%d messages handled by %d readers, %s after the last change", len(sent), len(readers), time.Since(begun).Round(time.Millisecond))
	alice := c.status("alice")
	for _, name := range readers {
		if seen := c.seen(name); !slices.Equal(seen, sent) {
			c.t.Errorf("%s handled %d messages, want %d in order; the first that differs is number %d", name, len(seen), len(sent), differs(seen, sent))
		}
		n := int64(len(sent))
		want := admin.Account{Channel: channel, Reader: name, Accepted: n, Handled: n}
		if a, _ := node.Account(alice, channel, name); a != want || !a.Balanced() {
			c.t.Errorf("alice's account of %s is %+v, want %+v", name, a, want)
		}
		in := c.status(name).Inbound
		if len(in) != 1 || in[0].Sender != "alice" || in[0].Handled != n || in[0].Dead != 0 {
			c.t.Errorf("%s received %+v, want %d handled from alice", name, in, n)
		}
	}
	if len(alice.Accounts) != len(readers) {
		c.t.Errorf("alice keeps %d accounts, want one for each of the %d readers: %+v", len(alice.Accounts), len(readers), alice.Accounts)
	}
	c.quiet()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for _, n := range c.nodes {
		if err := n.Stop(ctx); err != nil {
			c.t.Error(err)
		}
	}
}

// differs is the first place, counted from 1, at which two lists are not the same.
func differs(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i + 1
		}
	}
	return min(len(a), len(b)) + 1
}
