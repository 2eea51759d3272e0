package engine_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
)

// A message that its handler rejects is kept as a dead letter. Once what was wrong is mended, it is redriven.
func ExampleConnection_RedriveDeadLetters() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own())
	var mended atomic.Bool
	_ = orders.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
		if !mended.Load() {
			return rmds.Result{Verdict: rmds.Dead, Reason: "no such customer"}
		}
		fmt.Printf("attempt %d handles %s\n", m.Attempt, m.Data)
		return rmds.Result{}
	})
	_ = orders.SendMessage("one pump")
	var letters []rmds.DeadLetter
	for len(letters) == 0 {
		time.Sleep(time.Millisecond)
		letters, _ = connection.DeadLetters(rmds.DeadLetterFilter{Channel: "orders"})
	}
	fmt.Println(letters[0].Reason)

	mended.Store(true)
	done, err := connection.RedriveDeadLetters(context.Background(), rmds.DeadLetterFilter{Channel: "orders"})
	fmt.Println(done.Handled, "handled,", len(done.Failed), "failed,", err)
	// Output:
	// no such customer
	// attempt 2 handles one pump
	// 1 handled, 0 failed, <nil>
}

// A journal shows what a channel received, also after it was handled.
func ExampleChannel_Journal() {
	connection, cleanup := exampleNode()
	defer cleanup()
	orders, _ := connection.JoinChannel("orders", rmds.RW, rmds.Own(), rmds.Journal(72*time.Hour))
	done := make(chan struct{}, 3)
	_ = orders.OnMessage(func(m *rmds.Message) { _ = m.Ack(); done <- struct{}{} })
	for _, text := range []string{"one", "two", "three"} {
		_ = orders.SendMessage(text)
		<-done
	}
	for connection.Accounts()[0].Handled < 3 {
		time.Sleep(time.Millisecond)
	}
	_ = orders.Journal(rmds.JournalRange{Last: 2}, func(m *rmds.Message) bool {
		fmt.Println(m.Sender, string(m.Data))
		return true
	})
	// Output:
	// example two
	// example three
}
