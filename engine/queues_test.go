package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

func TestQueuesShowWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice, bob := network.Connect(t, "alice"), network.Connect(t, "bob")
		var got collector
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(got.handle); err != nil {
			t.Fatal(err)
		}
		chat := alice.Join("chat", rmds.WriteOnly)
		nobody := alice.Join("nobody", rmds.WriteOnly)
		time.Sleep(time.Minute)
		sendAll(t, chat, numbered(1, 3))
		sendAll(t, nobody, []string{"first", "second"})
		time.Sleep(time.Minute)
		network.Kill("bob")
		time.Sleep(time.Minute)
		away := time.Now()
		sendAll(t, chat, numbered(4, 6))
		time.Sleep(time.Hour)
		queues := alice.Queues()
		if len(queues) != 2 {
			t.Fatalf("%+v", queues)
		}
		if q := queues[0]; q.Channel != "chat" || q.Reader != "bob" || q.Pending != 3 || q.Oldest != 6 || q.Online || q.Since.Sub(away) > time.Second || q.Since.Before(away.Add(-time.Second)) {
			t.Errorf("%+v", q)
		}
		if q := queues[1]; q.Channel != "nobody" || q.Reader != "" || q.Pending != 2 || q.Oldest != 4 {
			t.Errorf("%+v", q)
		}
		show := func(channel, reader string, after uint64, limit int) string {
			messages, err := alice.Pending(channel, reader, after, limit)
			if errors.Is(err, rmds.ErrNoQueue) {
				return "no queue"
			}
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for _, m := range messages {
				text += fmt.Sprintf("%d %s; ", m.Seq, m.Data)
				if err := m.Ack(); !errors.Is(err, rmds.ErrStale) {
					t.Errorf("ack of what is only looked at: %v", err)
				}
			}
			return text
		}
		for got, want := range map[string]string{
			show("chat", "bob", 0, 10): "6 message 4; 7 message 5; 8 message 6; ", show("chat", "bob", 6, 1): "7 message 5; ", show("nobody", "", 0, 10): "4 first; 5 second; ",
			show("chat", "", 0, 10): "no queue", show("chat", "eve", 0, 10): "no queue", show("none", "bob", 0, 10): "no queue",
		} {
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if failures := alice.Mgmt.PurgeQueue(rmds.Self); failures != nil {
			t.Fatal(failures)
		}
		if got := show("chat", "bob", 0, 10); got != "" {
			t.Errorf("after a purge: %q", got)
		}
	})
}
