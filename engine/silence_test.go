package engine_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// listed tells whether a node is in the listings, and online.
func listed(c *rmds.Connection, node string) (known, online bool) {
	for _, n := range c.Mgmt.Nodes() {
		if n.ID == node {
			return true, n.Online
		}
	}
	return false, false
}

// long is a time after which every clean-up has passed many times over. Simulated time costs processor time too, and the race detector makes much of that.
func long() time.Duration {
	if raceEnabled {
		return 3 * 24 * time.Hour
	}
	return 15 * 24 * time.Hour
}

// TestCleanUpTouchesListingsOnly: readers that fell silent drop out of the listings, in two steps, and of nothing else. After weeks they get everything, though
// the writer's process is another one by then.
func TestCleanUpTouchesListingsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, config, got := enginetest.NewNetwork(t), rmds.DefaultConfig(), map[string]*collector{}
		config.MessageExpiry = rmds.NoExpiry
		alice := network.ConnectWith(t, "alice", config)
		chat := alice.Join("chat", rmds.WriteOnly)
		sent := 0
		send := func() {
			sendAll(t, chat, numbered(sent+1, sent+5))
			sent += 5
		}
		readers := []string{"killed", "parted", "stopped"}
		start := func(id string) *rmds.Connection {
			c := network.Connect(t, id)
			if got[id] == nil {
				got[id] = &collector{}
			}
			if err := c.Join("chat", rmds.ReadOnly).OnMessage(got[id].handle); err != nil {
				t.Fatal(err)
			}
			return c
		}
		nodes := map[string]*rmds.Connection{}
		for _, id := range readers {
			nodes[id] = start(id)
		}
		time.Sleep(time.Minute)
		send()
		time.Sleep(time.Minute)
		network.Kill("killed")
		network.Partition("alice", "parted")
		if err := nodes["stopped"].Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		pending := func(want int) {
			t.Helper()
			for _, a := range alice.Accounts() {
				if int(a.Pending) != want || a.Removed != 0 || a.Ended || !a.Balanced() {
					t.Errorf("account %+v, want %d pending", a, want)
				}
			}
			if n := len(alice.Accounts()); n != 3 {
				t.Errorf("%d readers on record, want three", n)
			}
		}
		send()
		time.Sleep(2 * time.Minute)
		for _, id := range readers {
			if known, online := listed(alice, id); !known || online {
				t.Errorf("two minutes after it fell silent %s is listed: %v, as online: %v", id, known, online)
			}
		}
		pending(5)
		time.Sleep(25 * time.Hour)
		for _, id := range readers {
			if known, _ := listed(alice, id); known {
				t.Errorf("a day after it fell silent %s is listed", id)
			}
		}
		if list := alice.Mgmt.GetSubscribers("chat"); len(list) != 1 || list[0].ID != "alice" {
			t.Errorf("subscribers %+v, want the writer alone", list)
		}
		send()
		pending(10)
		network.Kill("parted") // whom the writer has not heard of for a day
		time.Sleep(long())
		send()
		network.Kill("alice")
		alice = network.ConnectWith(t, "alice", config)
		chat = alice.Join("chat", rmds.WriteOnly)
		send()
		pending(20)
		network.Heal("alice", "parted")
		for _, id := range readers {
			start(id)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, id := range readers {
			if list := got[id].list(); !slices.Equal(list, numbered(1, sent)) {
				t.Errorf("%s handled %q, want all %d messages in order", id, list, sent)
			}
			if known, online := listed(alice, id); !known || !online {
				t.Errorf("%s is back and listed: %v, as online: %v", id, known, online)
			}
		}
		pending(0)
	})
}

// TestASilentWriterKeepsItsPlace: the listings of a reader forget a writer; its position there stays, so that nothing comes twice.
func TestASilentWriterKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		p.network.Kill("alice")
		time.Sleep(26 * time.Hour)
		if known, _ := listed(p.bob, "alice"); known {
			t.Error("a day after it fell silent the writer is listed")
		}
		in := p.bob.Inbound()
		if len(in) != 1 || in[0].Sender != "alice" || in[0].Handled != 5 || in[0].Position != 5 {
			t.Errorf("positions %+v", in)
		}
		p.startAlice()
		p.send(5)
		p.settle()
		p.wants(1, 10)
		p.account(10, 10, 0)
	})
}
