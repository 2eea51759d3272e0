package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// TestStatisticOfKnownTraffic: alice writes, bob and lisa read, and every number follows from what they were given to do.
func TestStatisticOfKnownTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice, bob, lisa := network.Connect(t, "alice"), network.Connect(t, "bob"), network.Connect(t, "lisa")
		chat := alice.Join("chat", rmds.WriteOnly)
		handle := func(m *rmds.Message) {
			if string(m.Data) == "bad" {
				_ = m.Reject("bad")
				return
			}
			_ = m.Ack()
		}
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(handle); err != nil {
			t.Fatal(err)
		}
		lisas := lisa.Join("chat", rmds.ReadOnly)
		time.Sleep(5 * time.Second)
		sendAll(t, chat, append(numbered(1, 10), "bad"))
		if err := chat.SendMessage("brief", rmds.Timeout(time.Second)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		check := func(c *rmds.Connection, want map[string]int64) {
			t.Helper()
			synctest.Wait()
			got := c.Mgmt.Statistic()
			for name, n := range want {
				if have, ok := got[name]; !ok || have != n {
					t.Errorf("%s of %s is %d, want %d", name, c.NodeID(), have, n)
				}
			}
		}
		// Bob has all twelve, lisa none yet.
		check(alice, map[string]int64{"queued": 12, "delivered": 11, "acknowledged": 11, "dead_lettered": 1, "pending": 12, "expired": 0, "dropped": 0, "processed": 0})
		check(bob, map[string]int64{"queued": 0, "processed": 11, "dead_lettered": 1, "pending": 0})
		if err := lisas.OnMessage(handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		check(alice, map[string]int64{"queued": 12, "delivered": 21, "acknowledged": 21, "dead_lettered": 2, "pending": 0, "expired": 1, "dropped": 1})
		check(lisa, map[string]int64{"processed": 10, "dead_lettered": 1, "expired": 1, "dropped": 1})

		// Nothing is lost here: what one side sent the other received.
		a, b, l := alice.Mgmt.Statistic(), bob.Mgmt.Statistic(), lisa.Mgmt.Statistic()
		if a["received_acks"] == 0 || a["received_acks"] != b["sent_acks"]+l["sent_acks"] {
			t.Errorf("alice received %d acks, bob sent %d and lisa %d", a["received_acks"], b["sent_acks"], l["sent_acks"])
		}
		if a["sent_frames"] == 0 || a["sent_frames"] != b["received_frames"]+l["received_frames"] {
			t.Errorf("alice sent %d frames, bob received %d and lisa %d", a["sent_frames"], b["received_frames"], l["received_frames"])
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		a2, b2, l2 := alice.Mgmt.Statistic(), bob.Mgmt.Statistic(), lisa.Mgmt.Statistic()
		sent := b2["sent_keepalives"] - b["sent_keepalives"] + l2["sent_keepalives"] - l["sent_keepalives"]
		if received := a2["received_keepalives"] - a["received_keepalives"]; received != sent || sent < 2*(360+120)*8/10 {
			t.Errorf("in an hour bob and lisa sent %d keepalives, and alice received %d", sent, received)
		}
		if took := a2["uptime"] - a["uptime"]; took != 3600 {
			t.Errorf("in an hour uptime grew by %d seconds", took)
		}
		check(alice, map[string]int64{"reconnects": 0, "rejected_frames": 0})
		network.Down()
		time.Sleep(time.Minute)
		network.Up()
		time.Sleep(time.Minute)
		check(alice, map[string]int64{"reconnects": 1})

		// What concerns messages outlives the process, the rest begins anew.
		if err := alice.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		alice = network.Connect(t, "alice")
		check(alice, map[string]int64{"queued": 12, "delivered": 21, "acknowledged": 21, "dead_lettered": 2, "pending": 0, "expired": 1, "dropped": 1,
			"received_acks": 0, "sent_frames": 0, "reconnects": 0, "uptime": 0})
		if err := lisa.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		check(network.Connect(t, "lisa"), map[string]int64{"processed": 10, "dead_lettered": 1, "sent_acks": 0, "received_frames": 0})
	})
}

// TestListingsCoverTheWholeNetwork: each of four nodes, two of which share no channel with anybody, sees all.
func TestListingsCoverTheWholeNetwork(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	nodes := map[string]*rmds.Connection{}
	for _, id := range []string{"alice", "bob", "carol", "dave"} {
		nodes[id] = open(t, testConfig(t, dir, id, port))
	}
	nodes["alice"].Join("orders", rmds.WriteOnly)
	nodes["bob"].Join("orders", rmds.ReadOnly)
	if err := nodes["carol"].Join("lonely", rmds.RW).AckUnhandled(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"alice": "orders writer", "bob": "orders reader", "carol": "lonely rw ready", "dave": ""}
	for id, c := range nodes {
		eventually(t, id+" sees all four nodes and what they do", func() bool {
			topology := c.Mgmt.Topology()
			if len(topology) != len(want) {
				return false
			}
			for node, does := range want {
				got := ""
				for _, r := range topology[node] {
					got += fmt.Sprint(r.Channel, " ", r.Mode)
					if r.Ready {
						got += " ready"
					}
				}
				if got != does {
					return false
				}
			}
			return true
		})
		list := c.Mgmt.Nodes()
		if len(list) != 4 || list[0].ID != id || !list[0].Self {
			t.Errorf("%s lists %+v", id, list)
		}
		for i, n := range list {
			if !n.Online || n.Store == "" || i > 1 && n.ID < list[i-1].ID || n.Self != (i == 0) {
				t.Errorf("%s lists %+v", id, n)
			}
		}
		if got := c.Mgmt.Channels(); !slices.Equal(got, []string{"lonely", "orders"}) {
			t.Errorf("%s lists the channels %v", id, got)
		}
		names := func(list []rmds.NodeInfo) (names []string) {
			for _, n := range list {
				names = append(names, n.ID)
			}
			slices.Sort(names)
			return names
		}
		if got := names(c.Mgmt.GetSubscribers("orders")); !slices.Equal(got, []string{"alice", "bob"}) {
			t.Errorf("%s lists the subscribers %v", id, got)
		}
		if got := c.Mgmt.GetSubscribers("nobody's"); len(got) != 0 {
			t.Errorf("%s lists %v for a channel that nobody has joined", id, got)
		}
	}
	if err := nodes["dave"].Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	delete(nodes, "dave")
	for id, c := range nodes {
		eventually(t, id+" knows that dave has gone", func() bool {
			i := slices.IndexFunc(c.Mgmt.Nodes(), func(n rmds.NodeInfo) bool { return n.ID == "dave" })
			return i > 0 && !c.Mgmt.Nodes()[i].Online
		})
	}
}

// TestStatisticCountsItsOwnMessagesOnce, though the node is sender and reader.
func TestStatisticCountsItsOwnMessagesOnce(t *testing.T) {
	connection, ch := lone(t, nil)
	if err := ch.OnMessage(func(m *rmds.Message) { _ = m.Reject("no") }); err != nil {
		t.Fatal(err)
	}
	sendAll(t, ch, numbered(1, 3))
	account(t, connection, func(a rmds.Account) bool { return a.Dead == 3 })
	if n := connection.Mgmt.Statistic()["dead_lettered"]; n != 3 {
		t.Errorf("%d dead letters counted, want 3", n)
	}
}
