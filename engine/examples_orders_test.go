package engine_test

import (
	"errors"
	"fmt"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
)

// Several callbacks run in the order of their registration, whatever the ones before decided; the first verdict counts.
func ExampleChannel_OnMessage_several() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	done := make(chan struct{})
	_ = orders.OnMessage(func(m *rmds.Message) { fmt.Println("the first acks:", m.Ack()) })
	_ = orders.OnMessage(func(m *rmds.Message) {
		err := m.Reject("not for me")
		fmt.Println("the second is too late:", errors.Is(err, rmds.ErrStale))
		close(done)
	})
	_ = orders.SendMessage("one pump")
	<-done
	until(func() bool { return connection.Mgmt.Statistic()["processed"] == 1 })
	fmt.Println("dead letters:", connection.Mgmt.Statistic()["dead_lettered"])
	// Output:
	// the first acks: <nil>
	// the second is too late: true
	// dead letters: 0
}

// An Ack that comes when the time for it is over is told so: the message has been handed over again meanwhile, and is acked there.
func ExampleMessage_Ack_late() {
	config := rmds.DefaultConfig()
	config.ACKTimeout, config.DeliveryRetryInterval = 50*time.Millisecond, 10*time.Millisecond
	connection, cleanup := exampleNodeWith(config)
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	var first *rmds.Message
	late := make(chan error)
	_ = orders.OnMessage(func(m *rmds.Message) {
		if first == nil {
			first = m // and no verdict
			return
		}
		late <- first.Ack()
		_ = m.Ack()
	})
	_ = orders.SendMessage("one pump")
	fmt.Println("too late:", errors.Is(<-late, rmds.ErrStale))
	until(func() bool { return connection.Mgmt.Statistic()["processed"] == 1 })
	// Output: too late: true
}

// Topology, Nodes, Channels and GetSubscribers are of the whole network, also of nodes that share no channel with this one.
func ExampleManagement_Topology() {
	nodes, cleanup := exampleNodes("alice", "bob", "carol")
	defer cleanup()
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	alice.Join("orders", rmds.WriteOnly)
	_ = bob.Join("orders", rmds.ReadOnly).AckUnhandled()
	bob.Join("invoices", rmds.RW)

	m := carol.Mgmt
	until(func() bool {
		t := m.Topology()
		return len(t) == 3 && len(t["alice"]) == 1 && len(t["bob"]) == 2 && t["bob"][1].Ready
	})
	topology := m.Topology()
	for _, id := range []string{"alice", "bob", "carol"} {
		for _, role := range topology[id] {
			fmt.Println(id, role.Channel, role.Mode, "handles:", role.Ready)
		}
	}
	fmt.Println(m.Channels())
	for _, node := range m.GetSubscribers("orders") {
		fmt.Println("has joined orders:", node.ID)
	}
	// Output:
	// alice orders writer handles: false
	// bob invoices rw handles: false
	// bob orders reader handles: true
	// [invoices orders]
	// has joined orders: alice
	// has joined orders: bob
}

// Statistic has every number at any time; what each sums is in its documentation.
func ExampleManagement_Statistic() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	_ = orders.OnMessage(func(m *rmds.Message) { _ = m.Ack() })
	for range 3 {
		_ = orders.SendMessage("one pump")
	}
	m := connection.Mgmt
	until(func() bool { return m.Statistic()["delivered"] == 3 })
	stats := m.Statistic()
	for _, name := range []string{"queued", "delivered", "acknowledged", "processed", "pending", "dead_lettered", "expired", "dropped", "reconnects"} {
		fmt.Println(name, stats[name])
	}
	// Output:
	// queued 3
	// delivered 3
	// acknowledged 3
	// processed 3
	// pending 0
	// dead_lettered 0
	// expired 0
	// dropped 0
	// reconnects 0
}

// KickChannel ends a node's joins to some channels; without names, to all that this node shares with it.
func ExampleManagement_KickChannel() {
	nodes, cleanup := exampleNodes("alice", "bob")
	defer cleanup()
	alice, bob := nodes[0], nodes[1]
	for _, name := range []string{"chat", "news", "orders"} {
		alice.Join(name, rmds.WriteOnly)
		bob.Join(name, rmds.ReadOnly)
	}
	bob.Join("private", rmds.RW)
	until(func() bool { return len(alice.Mgmt.Topology()["bob"]) == 4 && len(bob.Mgmt.Topology()["alice"]) == 3 })

	fmt.Println(alice.Mgmt.KickChannel("bob", "news"), len(bob.Joined()))
	fmt.Println(alice.Mgmt.KickChannel("bob"), len(bob.Joined()), "is left:", bob.Joined()[0].Channel)
	// Output:
	// <nil> 3
	// <nil> 1 is left: private
}

// A purge is obeyed by every node that is online, or with Self by this one only, and is on record at each.
func ExampleManagement_PurgeQueue() {
	nodes, cleanup := exampleNodes("alice", "bob")
	defer cleanup()
	alice, bob := nodes[0], nodes[1]
	out := alice.Join("chat", rmds.WriteOnly)
	in := bob.Join("chat", rmds.ReadOnly) // without a handler: its messages wait
	until(func() bool { return len(alice.Accounts()) == 1 && len(bob.Mgmt.Nodes()) == 2 })
	_ = out.SendMessage("hello")

	fmt.Println(bob.Mgmt.PurgeQueue(rmds.Self), "still waiting:", alice.Mgmt.Statistic()["pending"])
	fmt.Println(bob.Mgmt.PurgeQueue(), bob.Mgmt.PurgeSent(), bob.Mgmt.PurgeAll())
	_ = in.OnMessage(func(m *rmds.Message) { _ = m.Ack() }) // its reader confirms the purge
	until(func() bool { return alice.Mgmt.Statistic()["pending"] == 0 })
	fmt.Println("delivered:", alice.Accounts()[0].Handled, "purged:", alice.Accounts()[0].Purged)
	records, _ := alice.Mgmt.Audit()
	for _, r := range records {
		fmt.Println(r.By, "ordered:", r.Action)
	}
	// Output:
	// <nil> still waiting: 1
	// <nil> <nil> <nil>
	// delivered: 0 purged: 1
	// bob ordered: purge what is pending and what is delivered
	// bob ordered: purge what is delivered
	// bob ordered: purge what is pending
}
