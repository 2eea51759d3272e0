package engine_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// TestARefusedRoleRestsOneChannel: a reader that has missed that a node writes a channel refuses that channel, visibly; the others between the same two nodes, and
// the same channel to another reader, go on; and once it has heard, everything comes, in order.
func TestARefusedRoleRestsOneChannel(t *testing.T) {
	for _, ordering := range []rmds.Ordering{rmds.OrderReceiver, rmds.OrderChannel} {
		t.Run(string(ordering), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &wires{Network: memconn.NewNetwork(1)}
				var silent atomic.Bool
				network.lose = func(node, subject string, _ []byte) bool {
					return node == "alice" && silent.Load() && (strings.Contains(subject, ".discovery.") || strings.Contains(subject, ".keepalive."))
				}
				config := rmds.DefaultConfig()
				config.Ordering = ordering
				alice := network.connect(t, "alice", config)
				bob, carol := network.connect(t, "bob", rmds.DefaultConfig()), network.connect(t, "carol", rmds.DefaultConfig())
				alice.Join("news", rmds.ReadOnly)
				seen := map[string]func() []string{"bob news": acked(t, bob.Join("news", rmds.ReadOnly)), "carol news": acked(t, carol.Join("news", rmds.ReadOnly)),
					"bob chat": acked(t, bob.Join("chat", rmds.ReadOnly)), "bob side": acked(t, bob.Join("side", rmds.ReadOnly))}
				out := map[string]*rmds.Channel{"chat": alice.Join("chat", rmds.WriteOnly), "side": alice.Join("side", rmds.WriteOnly)}
				time.Sleep(time.Minute)
				network.Partition("alice", "bob") // long enough for what alice announces now to be missed
				if err := alice.Leave("news"); err != nil {
					t.Fatal(err)
				}
				out["news"] = alice.Join("news", rmds.WriteOnly)
				time.Sleep(time.Second)
				silent.Store(true)
				network.Heal("alice", "bob")
				for i := range 5 {
					for _, ch := range out {
						sendAll(t, ch, numbered(i+1, i+1))
					}
					time.Sleep(time.Second)
				}
				for of, list := range seen {
					if want := map[bool][]string{true: numbered(1, 5)}[of != "bob news"]; !slices.Equal(list(), want) {
						t.Errorf("%s: handled %q, want %q", of, list(), want)
					}
				}
				if s := alice.Status().Suspended; len(s) != 1 || s[0].Node != "bob" || s[0].Channel != "news" || !strings.Contains(s[0].Reason, "alice") {
					t.Errorf("suspended %+v, want news to bob alone", s)
				}
				silent.Store(false)
				time.Sleep(2 * time.Minute)
				for of, list := range seen {
					if !slices.Equal(list(), numbered(1, 5)) {
						t.Errorf("%s: handled %q in the end", of, list())
					}
				}
				if s := alice.Status().Suspended; len(s) != 0 {
					t.Errorf("suspended %+v in the end", s)
				}
				allBalanced(t, alice)
			})
		})
	}
}

// TestOrderingChangesAgainstStoredJoins: over restarts with the other ordering every join goes on where it was, on the channel that is stuck, too.
func TestOrderingChangesAgainstStoredJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		var stuck atomic.Bool
		var late collector
		patient := rmds.DefaultConfig()
		patient.MaxRetryAttempts = 1 << 20
		bob := network.ConnectWith(t, "bob", patient)
		chat := acked(t, bob.Join("chat", rmds.ReadOnly))
		if err := bob.Join("stuck", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			if stuck.Load() {
				_ = m.Nack(time.Second)
				return
			}
			late.handle(m)
		}); err != nil {
			t.Fatal(err)
		}
		stuck.Store(true)
		config := rmds.DefaultConfig()
		for i, ordering := range []rmds.Ordering{rmds.OrderReceiver, rmds.OrderChannel, rmds.OrderReceiver, rmds.OrderChannel} {
			config.Ordering = ordering
			network.Kill("alice")
			alice := network.ConnectWith(t, "alice", config)
			out := []*rmds.Channel{alice.Join("chat", rmds.WriteOnly), alice.Join("stuck", rmds.WriteOnly)}
			time.Sleep(5 * time.Second)
			for _, ch := range out {
				sendAll(t, ch, numbered(3*i+1, 3*i+3))
			}
			time.Sleep(5 * time.Second)
			if i == 1 && len(chat()) != 6 {
				t.Errorf("with an order for each channel %q came past the one that is stuck", chat())
			}
			if list := alice.Accounts(); len(list) != 2 || list[0].Join != 1 || list[1].Join != 1 || list[0].Ended || list[1].Ended {
				t.Errorf("accounts %+v, want the joins of the beginning", list)
			}
			allBalanced(t, alice)
		}
		stuck.Store(false)
		time.Sleep(5 * time.Minute)
		for name, list := range map[string][]string{"chat": chat(), "stuck": late.list()} {
			if !slices.Equal(list, numbered(1, 12)) {
				t.Errorf("%s: handled %q, want twelve messages in order", name, list)
			}
		}
	})
}
