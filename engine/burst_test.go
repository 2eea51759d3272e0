package engine_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// TestMessageOfTheLimit: a message, with its headers, of just the limit or one byte less arrives as it was sent; one byte more is refused and not stored.
func TestMessageOfTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 2 << 20
		config := rmds.DefaultConfig()
		config.MaxMessageSize = limit
		network := enginetest.NewNetwork(t)
		type got struct{ data, header string }
		var seen []got
		if err := network.ConnectWith(t, "bob", config).Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			g := got{data: string(m.Data)}
			for _, h := range m.Headers {
				g.header += h.Name + "=" + h.Value
			}
			seen = append(seen, g)
			_ = m.Ack()
		}); err != nil {
			t.Fatal(err)
		}
		alice := network.ConnectWith(t, "alice", config)
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		headers := []rmds.Header{{Name: "name", Value: "value"}}
		var want []got
		for _, size := range []int{limit - 1, limit} {
			for _, data := range [][]byte{noise(size), bytes.Repeat([]byte{'x'}, size)} {
				if _, err := chat.Send(t.Context(), rmds.Outgoing{Data: data}); err != nil {
					t.Fatalf("%d bytes of %d: %v", size, limit, err)
				}
				want = append(want, got{data: string(data)})
			}
			data := noise(size - len("namevalue"))
			if _, err := chat.Send(t.Context(), rmds.Outgoing{Data: data, Headers: headers}); err != nil {
				t.Fatalf("%d bytes of %d, headers among them: %v", size, limit, err)
			}
			want = append(want, got{string(data), "name=value"})
		}
		for _, m := range []rmds.Outgoing{{Data: make([]byte, limit+1)}, {Data: make([]byte, limit+1-len("namevalue")), Headers: headers}} {
			if _, err := chat.Send(t.Context(), m); !errors.Is(err, rmds.ErrTooLarge) {
				t.Errorf("a byte above the limit: %v", err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(seen, want) {
			t.Errorf("%d messages arrived, or not as they were sent; want %d", len(seen), len(want))
		}
		if a := alice.Accounts()[0]; !a.Balanced() || a.Accepted != uint64(len(want)) || a.Handled != a.Accepted {
			t.Errorf("account %+v", a)
		}
	})
}

// TestBurstAtTenTimesTheRate: ten seconds of messages come ten times as fast as the reader handles them. What has no room is refused with an error that
// names the reader, what was accepted is handled in order, and then there is room again.
func TestBurstAtTenTimesTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 500
		network := enginetest.NewNetwork(t)
		config := rmds.DefaultConfig()
		config.MaxMessagesPerReceiver = limit
		alice := network.ConnectWith(t, "alice", config)
		chat := alice.Join("chat", rmds.WriteOnly)
		var seen []string
		if err := network.Connect(t, "bob").Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			time.Sleep(10 * time.Millisecond)
			seen = append(seen, string(m.Data))
			_ = m.Ack()
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		var accepted []string
		refused := 0
		for _, text := range numbered(1, 10_000) {
			switch err := chat.SendMessage(text); {
			case err == nil:
				accepted = append(accepted, text)
			case errors.Is(err, rmds.ErrReaderFull) && bytes.Contains([]byte(err.Error()), []byte("bob")):
				refused++
			default:
				t.Fatal(err)
			}
			if n := alice.Mgmt.Statistic()["pending"]; n > limit {
				t.Fatalf("%d messages wait, the limit is %d", n, limit)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		// Nine in ten are too many for the reader, but for those that the queue takes.
		if len(accepted) < 1000 || refused < 7000 {
			t.Errorf("%d were accepted and %d refused", len(accepted), refused)
		}
		if !slices.Equal(seen, accepted) {
			t.Errorf("%d messages were handled, want the %d accepted ones in order", len(seen), len(accepted))
		}
		if err := chat.SendMessage("there is room again"); err != nil {
			t.Error(err)
		}
		allBalanced(t, alice)
	})
}
