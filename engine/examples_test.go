package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	rmds "github.com/getevo/rmds-router/engine"
)

// exampleNodes starts nodes, and a NATS server for them.
func exampleNodes(ids ...string) (nodes []*rmds.Connection, cleanup func()) {
	dir, err := os.MkdirTemp("", "rmds-example")
	if err != nil {
		panic(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		panic(err)
	}
	go s.Start()
	if !s.ReadyForConnections(patience) {
		panic("the NATS server did not start")
	}
	for _, id := range ids {
		config := rmds.DefaultConfig()
		config.NodeID = id
		config.NATSServers = []string{s.ClientURL()}
		config.StoragePath = filepath.Join(dir, "{nodeID}.db")
		node, err := rmds.New(config)
		if err != nil {
			panic(err)
		}
		nodes = append(nodes, node)
	}
	return nodes, func() {
		for _, node := range nodes {
			_ = node.Unsubscribe()
		}
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir)
	}
}

// until polls: other nodes are heard of in time.
func until(f func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !f(); {
		select {
		case <-tick.C:
		case <-deadline:
			panic("it does not come to pass")
		}
	}
}

// Two nodes: alice writes, bob reads. What alice sends waits for bob, whoever of them starts first, and whatever stops in between.
func Example() {
	nodes, cleanup := exampleNodes("alice", "bob")
	defer cleanup()
	alice, bob := nodes[0], nodes[1]

	out := alice.Join("chat", rmds.WriteOnly)
	for _, text := range []string{"hello", "are you there?"} {
		if err := out.SendMessage(text); err != nil { // returns when the message is durable
			fmt.Println(err)
		}
	}
	var done sync.WaitGroup
	done.Add(2)
	in := bob.Join("chat", rmds.ReadOnly)
	err := in.OnMessage(func(m *rmds.Message) {
		fmt.Println(m.Sender, "says", string(m.Data))
		_ = m.Ack()
		done.Done()
	})
	if err != nil {
		fmt.Println(err)
	}
	done.Wait()
	// Output:
	// alice says hello
	// alice says are you there?
}

// A context bounds how long a send may wait. Its error tells whether the message may yet be stored.
func ExampleChannel_Send() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders := connection.Join("orders", rmds.WriteOnly)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	id, err := orders.Send(ctx, rmds.Outgoing{Data: []byte("one pump"), TTL: time.Hour, Headers: []rmds.Header{{Name: "kind", Value: "order"}}})
	fmt.Println(len(id), err)

	cancel()
	_, err = orders.Send(ctx, rmds.Outgoing{Data: []byte("two pumps")})
	fmt.Println(errors.Is(err, context.Canceled), "may yet be stored:", errors.Is(err, rmds.ErrUnknown))
	// Output:
	// 55 <nil>
	// true may yet be stored: false
}

// A batch is stored whole or not at all, in one transaction.
func ExampleChannel_SendBatch() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders := connection.Join("orders", rmds.WriteOnly)

	batch := []rmds.Outgoing{{Data: []byte("one pump")}, {Data: []byte("three valves")}}
	fmt.Println(orders.SendBatch(context.Background(), batch))

	batch[1].Headers = []rmds.Header{{Name: "", Value: "a header needs a name"}}
	err := orders.SendBatch(context.Background(), batch)
	fmt.Println(errors.Is(err, rmds.ErrName))
	fmt.Println(connection.Mgmt.Statistic()["queued"], "messages are stored")
	// Output:
	// <nil>
	// true
	// 2 messages are stored
}

// SendAsync lets one goroutine keep many messages on their way to the disk, which share its syncs.
func ExampleChannel_SendAsync() {
	connection, cleanup := exampleNode()
	defer cleanup()
	samples := connection.Join("samples", rmds.WriteOnly)

	var stored atomic.Int64
	var done sync.WaitGroup
	for i := range 1000 {
		done.Add(1)
		samples.SendAsync(rmds.Outgoing{Data: fmt.Append(nil, i)}, func(err error) {
			if err == nil {
				stored.Add(1)
			}
			done.Done()
		})
	}
	done.Wait()
	fmt.Println(stored.Load(), "samples are durable")
	// Output: 1000 samples are durable
}

// What cannot be handled now is asked for again; the messages behind it wait.
func ExampleMessage_Nack() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	done := make(chan struct{})
	_ = orders.OnMessage(func(m *rmds.Message) {
		fmt.Printf("%s, attempt %d\n", m.Data, m.Attempt)
		switch {
		case m.Attempt < 3:
			_ = m.Nack(10 * time.Millisecond) // 0: Config.DeliveryRetryInterval
		default:
			_ = m.Ack()
			if string(m.Data) == "two" {
				close(done)
			}
		}
	})
	_ = orders.SendBatch(context.Background(), []rmds.Outgoing{{Data: []byte("one")}, {Data: []byte("two")}})
	<-done
	// Output:
	// one, attempt 1
	// one, attempt 2
	// one, attempt 3
	// two, attempt 1
	// two, attempt 2
	// two, attempt 3
}

// What can never be handled goes to the dead letters, and the rest goes on.
func ExampleMessage_Reject() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	done := make(chan struct{})
	_ = orders.OnMessage(func(m *rmds.Message) {
		if string(m.Data) == "nonsense" {
			_ = m.Reject("not an order")
			return
		}
		fmt.Println("handled", string(m.Data))
		_ = m.Ack()
		close(done)
	})
	_ = orders.SendMessage("nonsense")
	_ = orders.SendMessage("one pump")
	<-done
	until(func() bool { return connection.Mgmt.Statistic()["pending"] == 0 })
	fmt.Println("dead letters:", connection.Mgmt.Statistic()["dead_lettered"])
	// Output:
	// handled one pump
	// dead letters: 1
}

// A verdict may come from another goroutine, within Config.ACKTimeout after the handler returned. The next message waits for it.
func ExampleMessage_Ack() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	work := make(chan *rmds.Message)
	_ = orders.OnMessage(func(m *rmds.Message) { work <- m })
	_ = orders.SendMessage("one pump")
	m := <-work
	fmt.Println(m.Ack())
	fmt.Println(m.Ack()) // twice is no error
	fmt.Println(errors.Is(m.Reject("changed my mind"), rmds.ErrStale))
	// Output:
	// <nil>
	// <nil>
	// true
}

// A tap watches what a node sends and handles on a channel, and has no say in it.
func ExampleConnection_Tap() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders := connection.Join("orders", rmds.WriteOnly)
	seen := make(chan struct{})
	stop := connection.Tap("orders", func(m *rmds.Message, lost uint64) {
		fmt.Printf("%s, sent here: %t, left out before it: %d\n", m.Data, m.Outgoing, lost)
		seen <- struct{}{}
	})
	_ = orders.SendMessage("one pump")
	<-seen
	stop()
	// Output: one pump, sent here: true, left out before it: 0
}

// An observer counts. It is called in the middle of the work: adding to a counter is all that it should do.
func ExampleSetObserver() {
	var accepted, handled, nanoseconds atomic.Int64
	observe := func(e rmds.Event) {
		switch e.Kind {
		case rmds.MessagesAccepted:
			accepted.Add(int64(e.Count))
		case rmds.MessageHandled:
			handled.Add(1)
			nanoseconds.Add(int64(e.Waited + e.Took))
		}
	}
	connection, cleanup := exampleNode(rmds.SetObserver(observe))
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	_ = orders.OnMessage(func(m *rmds.Message) { _ = m.Ack() })
	for range 3 {
		_ = orders.SendMessage("one pump")
	}
	until(func() bool { return handled.Load() == 3 })
	fmt.Println(accepted.Load(), "accepted,", handled.Load(), "handled, in no time at all:", nanoseconds.Load() == 0)
	// Output: 3 accepted, 3 handled, in no time at all: false
}

// Close drains within a deadline: handlers that run end, their verdicts are committed, online readers get what they can take. What is left waits in the database.
func ExampleConnection_Close() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	started := make(chan struct{})
	_ = orders.OnMessage(func(m *rmds.Message) {
		close(started)
		fmt.Println("handled", string(m.Data), m.Ack())
	})
	_ = orders.SendMessage("one pump")
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println("closed", connection.Close(ctx))
	fmt.Println(errors.Is(orders.SendMessage("too late"), rmds.ErrClosed))
	// Output:
	// handled one pump <nil>
	// closed <nil>
	// true
}

// Mgmt looks at the whole network, and gives orders in it that every node obeys, answers and has on record.
func ExampleManagement() {
	nodes, cleanup := exampleNodes("alice", "bob", "carol")
	defer cleanup()
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	chat := alice.Join("chat", rmds.WriteOnly)
	bob.Join("chat", rmds.ReadOnly) // without a handler: its messages wait
	until(func() bool {
		return len(carol.Mgmt.GetSubscribers("chat")) == 2 && len(alice.Accounts()) == 1 && len(carol.Mgmt.Nodes()) == 3 && len(alice.Mgmt.Nodes()) == 3
	})
	_ = chat.SendMessage("hello")

	m := carol.Mgmt // it has joined nothing, and sees all the same
	fmt.Println(m.Channels())
	for _, node := range m.Nodes() {
		fmt.Println(node.ID, node.Online, node.Channels)
	}
	fmt.Println("pending at alice:", alice.Mgmt.Statistic()["pending"])
	fmt.Println("kick:", m.Kick("bob"))
	account := alice.Accounts()[0]
	fmt.Println("pending at alice:", account.Pending, "removed:", account.Removed)

	record, _ := alice.Mgmt.Audit()
	fmt.Println(record[0].By, "ordered:", record[0].Action)
	// Output:
	// [chat]
	// carol true []
	// alice true [{chat writer false}]
	// bob true [{chat reader false}]
	// pending at alice: 1
	// kick: <nil>
	// pending at alice: 0 removed: 1
	// carol ordered: kick bob from chat
}

// What a node does by itself commits like a handler's effects: messages and state in one transaction.
func ExampleConnection_Commit() {
	connection, cleanup := exampleNode()
	defer cleanup()
	connection.Join("orders", rmds.WriteOnly)
	committed, err := connection.Commit(context.Background(), rmds.Effects{
		Emits: []rmds.Emit{{Channel: "orders", Data: []byte("one pump")}, {Channel: "orders", Data: []byte("its invoice"), Delay: time.Hour}},
		State: []rmds.StateChange{{Namespace: "shop", Key: []byte("orders"), Value: []byte("1")}},
	}, nil)
	value, _, _ := connection.State().Get("shop", []byte("orders"))
	fmt.Println(err, len(committed.ID(0)), string(value))
	// Output: <nil> 55 1
}
