package engine_test

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// TestLargeMessageResumesWhereItWas: a session that breaks in the middle of a message goes on there in the next one.
func TestLargeMessageResumesWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wires{Network: memconn.NewNetwork(1)}
		w.SetFaults(memconn.Faults{MinDelay: time.Millisecond, MaxDelay: time.Millisecond})
		message := noise(8 << 20)
		var pieces, again atomic.Int64
		var broken atomic.Bool
		var furthest atomic.Uint64
		w.sent = func(_, _ string, data []byte) {
			d := parseData(data)
			if d == nil || d.Piece == nil {
				return
			}
			pieces.Add(1)
			if broken.Load() && d.Piece.Offset < furthest.Load()/2 {
				again.Add(1)
			}
			furthest.Store(max(furthest.Load(), d.Piece.Offset))
		}
		var got atomic.Bool
		bob := w.connect(t, "bob", rmds.DefaultConfig())
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { got.Store(bytes.Equal(m.Data, message)); _ = m.Ack() }); err != nil {
			t.Fatal(err)
		}
		alice := w.connect(t, "alice", rmds.DefaultConfig()).Join("chat", rmds.WriteOnly)
		if err := alice.SendMessage("the lane is open"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err := alice.SendMessage(message); err != nil {
			t.Fatal(err)
		}
		for furthest.Load() < 4<<20 {
			time.Sleep(time.Millisecond)
		}
		w.Down()
		broken.Store(true)
		time.Sleep(3 * time.Second)
		w.Up()
		time.Sleep(10 * time.Second)
		if !got.Load() {
			t.Fatal("the message did not arrive as it was sent")
		}
		if n := again.Load(); n > 0 {
			t.Errorf("%d of %d pieces from the first half were sent again after the break", n, pieces.Load())
		}
	})
}

// TestLargeMessagesTakeTurns: many large messages at once from different senders all arrive, though the reader has room for one, and a
// small one does not wait for them.
func TestLargeMessagesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wires{Network: memconn.NewNetwork(1)}
		var moved atomic.Int64
		w.sent = func(_, _ string, data []byte) {
			if d := parseData(data); d != nil && d.Piece != nil {
				moved.Add(int64(len(d.Piece.Data)))
			}
		}
		c := rmds.DefaultConfig()
		c.MaxMessageSize = 3 << 20
		var large atomic.Int64
		hold := make(chan struct{})
		var small atomic.Bool
		bob := w.connect(t, "bob", c)
		err := bob.Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) {
			<-hold
			large.Add(int64(len(m.Data)))
			_ = m.Ack()
		})
		if err == nil {
			err = bob.Join("quick", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { small.Store(true); _ = m.Ack() })
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			ch := w.connect(t, fmt.Sprintf("writer-%d", i), c).Join("chat", rmds.WriteOnly)
			if err := ch.SendMessage(noise(3 << 20)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		if n := moved.Load(); n < 3<<20 || n > 5<<20 {
			t.Errorf("%d bytes have been sent while there is room for one message of %d", n, 3<<20)
		}
		if err := w.connect(t, "alice", c).Join("quick", rmds.WriteOnly).SendMessage(noise(200 << 10)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if !small.Load() || large.Load() != 0 {
			t.Errorf("while a large message is being handled: %d bytes handled, the small one: %v", large.Load(), small.Load())
		}
		close(hold)
		time.Sleep(30 * time.Second)
		if got := large.Load(); got != 5*3<<20 {
			t.Errorf("%d bytes arrived, want %d", got, 5*3<<20)
		}
	})
}

// TestMessageAboveTheReadersLimit: a reader that takes no such message refuses the channel; the others go on.
func TestMessageAboveTheReadersLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		c := rmds.DefaultConfig()
		c.MaxMessageSize = 1 << 20
		var handled atomic.Int64
		bob := network.ConnectWith(t, "bob", c)
		for _, channel := range []string{"chat", "other"} {
			if err := bob.Join(channel, rmds.ReadOnly).OnMessage(func(m *rmds.Message) { handled.Add(1); _ = m.Ack() }); err != nil {
				t.Fatal(err)
			}
		}
		alice := network.Connect(t, "alice")
		chat, other := alice.Join("chat", rmds.WriteOnly), alice.Join("other", rmds.WriteOnly)
		time.Sleep(5 * time.Second)
		if err := chat.SendMessage(noise(3 << 20)); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := other.SendMessage("small"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(25 * time.Second)
		if got := handled.Load(); got != 10 {
			t.Errorf("%d messages handled, want the 10 on the channel that is not refused", got)
		}
	})
}
