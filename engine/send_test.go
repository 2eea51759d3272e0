package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// gate is an observer that holds the writer at its commits, as a slow disk does.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open
}

func (g *gate) observe(e rmds.Event) {
	if e.Kind != rmds.TransactionCommitted {
		return
	}
	g.mu.Lock()
	wait := g.closed
	g.mu.Unlock()
	if wait != nil {
		<-wait
	}
}

func (g *gate) close() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := make(chan struct{})
	g.closed = wait
	return func() {
		g.mu.Lock()
		g.closed = nil
		g.mu.Unlock()
		close(wait)
	}
}

func outgoing(texts ...string) (list []rmds.Outgoing) {
	for _, text := range texts {
		list = append(list, rmds.Outgoing{Data: []byte(text)})
	}
	return list
}

// TestSendWithAContext that ends before the message is accepted, and after.
func TestSendWithAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		var g gate
		alice := network.Connect(t, "alice", rmds.SetObserver(g.observe))
		ch := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, one := ch.Send(ctx, rmds.Outgoing{Data: []byte("never")})
		batch := ch.SendBatch(ctx, outgoing("never", "never"))
		_, commit := alice.Commit(ctx, rmds.Effects{Emits: []rmds.Emit{{Channel: "chat", Data: []byte("never")}}}, nil)
		for i, err := range []error{one, batch, commit} {
			if !errors.Is(err, context.Canceled) || errors.Is(err, rmds.ErrUnknown) {
				t.Errorf("call %d with a context that has ended: %v", i, err)
			}
		}
		if n := alice.Mgmt.Statistic()["queued"]; n != 0 {
			t.Errorf("%d messages were stored", n)
		}
		open := g.close()
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := ch.Send(ctx, rmds.Outgoing{Data: []byte("accepted")}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rmds.ErrUnknown) {
			t.Errorf("a context that ends while the message is on its way to the disk: %v", err)
		}
		open()
		id, err := ch.Send(t.Context(), rmds.Outgoing{Data: []byte("next")})
		if err != nil || id == "" {
			t.Errorf("id %q, %v", id, err)
		}
		if n := alice.Mgmt.Statistic()["queued"]; n != 2 {
			t.Errorf("%d messages were stored, want the one whose outcome was not waited for, and the next", n)
		}
	})
}

// TestASendWaitsForRoomAsLongAsItsContext: while the group being gathered is full and the writer is busy, nothing is stored of what gives up.
func TestASendWaitsForRoomAsLongAsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		var g gate
		config := rmds.DefaultConfig()
		config.MaxMessagesPerReceiver = rmds.Unlimited
		alice := network.ConnectWith(t, "alice", config, rmds.SetObserver(g.observe))
		ch := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Second)
		open := g.close()
		results := make(chan error, 10)
		full := outgoing(slices.Repeat([]string{"x"}, 1<<14)...)
		for range 2 { // one for the writer's hands, one for the group
			go func() { results <- ch.SendBatch(t.Context(), full) }()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := ch.Send(ctx, rmds.Outgoing{Data: []byte("gives up")}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, rmds.ErrUnknown) {
			t.Errorf("a send that found no room: %v", err)
		}
		open()
		if err := errors.Join(<-results, <-results); err != nil {
			t.Error(err)
		}
		if n := alice.Mgmt.Statistic()["queued"]; n != 2<<14 {
			t.Errorf("%d messages were stored, want %d", n, 2<<14)
		}
	})
}

func TestABatchIsAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		config := rmds.DefaultConfig()
		config.MaxMessageSize, config.MaxMessagesPerReceiver = 1000, 100
		alice, bob := network.ConnectWith(t, "alice", config), network.Connect(t, "bob")
		ch, reader := alice.Join("chat", rmds.WriteOnly), bob.Join("chat", rmds.ReadOnly)
		time.Sleep(time.Second)
		for name, x := range map[string]struct {
			batch []rmds.Outgoing
			want  error
		}{
			"one too large":   {[]rmds.Outgoing{{Data: []byte("x")}, {Data: make([]byte, 1001)}, {Data: []byte("x")}}, rmds.ErrTooLarge},
			"a bad header":    {[]rmds.Outgoing{{Data: []byte("x")}, {Headers: []rmds.Header{{Value: "nameless"}}}}, rmds.ErrName},
			"beyond the room": {outgoing(numbered(1, 101)...), rmds.ErrReaderFull},
		} {
			if err := ch.SendBatch(t.Context(), x.batch); !errors.Is(err, x.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := ch.SendBatch(t.Context(), nil); err != nil {
			t.Errorf("an empty batch: %v", err)
		}
		if n := alice.Mgmt.Statistic()["queued"]; n != 0 {
			t.Fatalf("%d messages of refused batches were stored", n)
		}
		if err := ch.SendBatch(t.Context(), outgoing(numbered(1, 100)...)); err != nil {
			t.Errorf("a batch that just fits: %v", err)
		}
		c := &collector{}
		if err := reader.OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got := c.list(); !slices.Equal(got, numbered(1, 100)) {
			t.Errorf("handled %d messages, the first %v", len(got), got[:min(len(got), 3)])
		}
	})
}

// TestABatchIsAllOrNothingAcrossAPowerCut in the middle of sending them.
func TestABatchIsAllOrNothingAcrossAPowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		for round := range 20 {
			alice := network.Connect(t, "alice")
			ch := alice.Join("chat", rmds.WriteOnly)
			before := alice.Mgmt.Statistic()["queued"]
			if before%1000 != 0 {
				t.Fatalf("after %d power cuts %d messages are there, of batches of 1000", round, before)
			}
			var sent int64
			done := make(chan struct{})
			go func() {
				defer close(done)
				for ch.SendBatch(context.Background(), outgoing(slices.Repeat([]string{"x"}, 1000)...)) == nil {
					if sent++; sent == int64(round) {
						go network.PowerCut("alice")
					}
				}
			}()
			if round == 0 {
				network.PowerCut("alice")
			}
			<-done
			network.PowerCut("alice") // waits for the one under way
			after := network.Connect(t, "alice")
			if n := after.Mgmt.Statistic()["queued"]; n < before+1000*sent {
				t.Fatalf("%d messages are there, and %d were sent", n, before+1000*sent)
			}
			network.Kill("alice")
		}
	})
}

// TestSendAsyncTellsEachOutcomeOnceAndInOrder.
func TestSendAsyncTellsEachOutcomeOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		config := rmds.DefaultConfig()
		config.MaxMessageSize = 1000
		alice := network.ConnectWith(t, "alice", config)
		bob := network.Connect(t, "bob")
		ch, reader := alice.Join("chat", rmds.WriteOnly), bob.Join("chat", rmds.ReadOnly)
		c := &collector{}
		if err := reader.OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		var mu sync.Mutex
		var stored []int
		for i := range 5000 {
			ch.SendAsync(rmds.Outgoing{Data: fmt.Appendf(nil, "message %d", i+1)}, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("message %d: %v", i+1, err)
				}
				stored = append(stored, i)
			})
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(stored) != 5000 || !slices.IsSorted(stored) {
			t.Errorf("%d outcomes of 5000, in order: %v", len(stored), slices.IsSorted(stored))
		}
		if got := c.list(); !slices.Equal(got, numbered(1, 5000)) {
			t.Errorf("handled %d messages, or not in order", len(got))
		}
		outcome := func(ch *rmds.Channel, m rmds.Outgoing) error {
			result := make(chan error, 2)
			ch.SendAsync(m, func(err error) { result <- err })
			time.Sleep(time.Second)
			if len(result) != 1 {
				t.Fatalf("%d outcomes of one send", len(result))
			}
			return <-result
		}
		if err := outcome(ch, rmds.Outgoing{Data: make([]byte, 1001)}); !errors.Is(err, rmds.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if err := outcome(reader, rmds.Outgoing{}); !errors.Is(err, rmds.ErrRole) {
			t.Errorf("on a channel joined for reading: %v", err)
		}
		if err := alice.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if err := outcome(ch, rmds.Outgoing{}); !errors.Is(err, rmds.ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
	})
}
