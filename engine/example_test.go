package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
)

// exampleNode is a node that works alone: it reads what it sends itself, so no network is needed.
func exampleNode(opts ...rmds.Option) (connection *rmds.Connection, cleanup func()) {
	return exampleNodeWith(nil, opts...)
}

func exampleNodeWith(config *rmds.Config, opts ...rmds.Option) (connection *rmds.Connection, cleanup func()) {
	dir, err := os.MkdirTemp("", "rmds-example")
	if err != nil {
		panic(err)
	}
	opts = append(opts, rmds.SetID("example"), rmds.SetNATS("127.0.0.1:1"), rmds.SetStoragePath(filepath.Join(dir, "example.db")))
	connection, err = rmds.New(config, opts...)
	if err != nil {
		panic(err)
	}
	return connection, func() {
		_ = connection.Unsubscribe()
		_ = os.RemoveAll(dir)
	}
}

func ExampleChannel_OnMessage() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, err := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan struct{})
	err = orders.OnMessage(func(m *rmds.Message) {
		fmt.Println(m.Sender, "says", string(m.Data))
		_ = m.Ack()
		close(done)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := orders.SendMessage("one pump", rmds.Timeout(10*time.Minute)); err != nil {
		fmt.Println(err)
		return
	}
	<-done
	// Output: example says one pump
}

// A transactional handler counts in the node's state and passes the message on. Both happen exactly once for each message.
func ExampleChannel_Handle() {
	connection, cleanup := exampleNode()
	defer cleanup()
	in, _ := connection.JoinChannel("in", rmds.RW, rmds.Own())
	out, _ := connection.JoinChannel("out", rmds.RW, rmds.Own())
	count := 0
	err := in.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
		count++
		return rmds.Result{Effects: rmds.Effects{
			State: []rmds.StateChange{{Namespace: "example", Key: []byte("count"), Value: fmt.Append(nil, count)}},
			Emits: []rmds.Emit{{Channel: "out", Data: fmt.Appendf(nil, "%s, number %d", m.Data, count)}},
		}}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan struct{})
	_ = out.OnMessage(func(m *rmds.Message) { fmt.Println(string(m.Data)); _ = m.Ack(); close(done) })
	_ = in.SendMessage("a message")
	<-done
	value, _, _ := connection.State().Get("example", []byte("count"))
	fmt.Println("count", string(value))
	// Output:
	// a message, number 1
	// count 1
}

func ExampleChannel_SendMessage_errors() {
	connection, cleanup := exampleNode()
	defer cleanup()
	sensor := connection.Join("sensor", rmds.ReadOnly)
	fmt.Println(errors.Is(sensor.SendMessage("x"), rmds.ErrRole))
	fmt.Println(errors.Is(connection.Join("not a name", rmds.RW).SendMessage("x"), rmds.ErrName))
	// Output:
	// true
	// true
}
