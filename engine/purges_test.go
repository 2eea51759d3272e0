package engine_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// TestPurgesRemoveWhatTheySay: two writers each have messages that wait for a reader, and messages that are delivered and only retained. Each
// purge removes the ones, the others or both, at the node that orders it or at both.
func TestPurgesRemoveWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		name              string
		order             func(*rmds.Management, ...rmds.Scope) error
		action            string
		waiting, retained bool // removed
	}{
		{"queue", (*rmds.Management).PurgeQueue, "purge what is pending", true, false},
		{"sent", (*rmds.Management).PurgeSent, "purge what is delivered", false, true},
		{"all", (*rmds.Management).PurgeAll, "purge what is pending and what is delivered", true, true},
	} {
		for where, scope := range map[string][]rmds.Scope{"everywhere": nil, "here": {rmds.Self}} {
			t.Run(c.name+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := purgeNetwork(t)
					if err := c.order(p.alice.Mgmt, scope...); err != nil {
						t.Fatal(err)
					}
					atBob := scope == nil
					for node, obeyed := range map[string]bool{"alice": true, "bob": atBob} {
						want := uint64(0)
						if obeyed && c.waiting {
							want = 5
						}
						p.remains(t, node, want, obeyed && c.retained)
					}
					list := audit(t, p.alice)
					if len(list) != 1 || list[0].By != "alice" || list[0].Action != c.action || list[0].Failed || !list[0].Over {
						t.Errorf("alice has on record %+v", list)
					}
					if list := audit(t, p.bob); len(list) != map[bool]int{true: 1}[atBob] {
						t.Errorf("bob has on record %+v", list)
					}
				})
			})
		}
	}
}

type purged struct {
	network    *enginetest.Network
	alice, bob *rmds.Connection
	wait       *rmds.Channel // what dave reads, without a handler so far
}

// purgeNetwork has alice and bob send five messages each on two channels; carol has handled those of the one, dave none of the other.
func purgeNetwork(t *testing.T) *purged {
	t.Helper()
	n := enginetest.NewNetwork(t)
	p := &purged{network: n, alice: n.Connect(t, "alice"), bob: n.Connect(t, "bob")}
	done := acked(t, n.Connect(t, "carol").Join("done", rmds.ReadOnly))
	p.wait = n.Connect(t, "dave").Join("wait", rmds.ReadOnly)
	for _, c := range []*rmds.Connection{p.alice, p.bob} {
		for _, name := range []string{"done", "wait"} {
			if _, err := c.JoinChannel(name, rmds.WriteOnly, rmds.NewReaders(rmds.StartAll)); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(2 * time.Minute) // what is sent before is kept for readers yet to come
	for _, c := range []*rmds.Connection{p.alice, p.bob} {
		for _, name := range []string{"done", "wait"} {
			for _, text := range numbered(1, 5) {
				if err := c.Channel(name).SendMessage(c.NodeID() + " " + text); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	time.Sleep(2 * time.Minute)
	if len(done()) != 10 {
		t.Fatalf("carol got %v", done())
	}
	return p
}

// remains lets dave handle what waits, and a new reader what is retained, and compares what comes from a node.
func (p *purged) remains(t *testing.T, node string, purged uint64, removed bool) {
	t.Helper()
	from := func(list []string) (n int) {
		for _, text := range list {
			if strings.HasPrefix(text, node) {
				n++
			}
		}
		return n
	}
	late := p.network.Connect(t, "late-for-"+node)
	retained := acked(t, late.Join("done", rmds.ReadOnly))
	if p.wait != nil {
		acked(t, p.wait)
		p.wait = nil
	}
	time.Sleep(2 * time.Minute)
	want := 5
	if removed {
		want = 0
	}
	if got := from(retained()); got != want {
		t.Errorf("a new reader gets %d of what %s had retained, want %d", got, node, want)
	}
	sender := map[string]*rmds.Connection{"alice": p.alice, "bob": p.bob}[node]
	list := sender.Accounts()
	i := slices.IndexFunc(list, func(a rmds.Account) bool { return a.Channel == "wait" })
	if i < 0 {
		t.Fatalf("%s has the accounts %+v", node, list)
	}
	if a := list[i]; a.Purged != purged || a.Handled != 5-purged || a.Pending != 0 || !a.Balanced() {
		t.Errorf("the account of what waited at %s: %+v, want %d purged", node, a, purged)
	}
}
