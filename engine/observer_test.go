package engine_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// tally sums events by kind, and by kind and detail where the detail is a word.
type tally struct {
	mu     sync.Mutex
	events map[string]int
	counts map[string]int
	last   map[rmds.EventKind]rmds.Event
}

func newTally() *tally {
	return &tally{events: map[string]int{}, counts: map[string]int{}, last: map[rmds.EventKind]rmds.Event{}}
}

func (y *tally) observe(e rmds.Event) {
	y.mu.Lock()
	defer y.mu.Unlock()
	names := []string{e.Kind.String()}
	if !strings.Contains(e.Detail, " ") {
		names = append(names, e.Kind.String()+" "+e.Detail)
	}
	for _, name := range names {
		y.events[name]++
		y.counts[name] += e.Count
	}
	y.last[e.Kind] = e
}

func TestObserverSeesKnownTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		a, b := newTally(), newTally()
		alice, bob := network.Connect(t, "alice", rmds.SetObserver(a.observe)), network.Connect(t, "bob", rmds.SetObserver(b.observe))
		chat := alice.Join("chat", rmds.WriteOnly)
		reader := bob.Join("chat", rmds.ReadOnly)
		time.Sleep(time.Second)
		sendAll(t, chat, append(numbered(1, 7), "bad", "slow"))
		for range 2 {
			if err := chat.SendMessage("brief", rmds.Timeout(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		if err := reader.OnMessage(func(m *rmds.Message) {
			switch {
			case string(m.Data) == "bad":
				_ = m.Reject("bad")
			case string(m.Data) == "slow" && m.Attempt == 1:
				_ = m.Nack(time.Second)
			case string(m.Data) == "slow":
				time.Sleep(3 * time.Second)
				_ = m.Ack()
			default:
				_ = m.Ack()
			}
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		network.Down()
		time.Sleep(time.Minute)
		network.Up()
		time.Sleep(time.Minute)
		synctest.Wait()
		a.mu.Lock()
		defer a.mu.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, x := range []struct {
			of    *tally
			name  string
			count int
		}{
			{a, "messages_accepted", 11}, {a, "transaction_committed", 11}, {a, "messages_acknowledged", 8}, {b, "message_handled", 8}, {b, "message_retried", 1}, {b, "message_dead_lettered", 1},
			{b, "messages_skipped", 2}, {b, "messages_skipped expired", 2}, {b, "messages_accepted", 0},
		} {
			if got := x.of.counts[x.name]; got != x.count {
				t.Errorf("%s counts %d messages, want %d", x.name, got, x.count)
			}
		}
		for _, x := range []struct {
			of     *tally
			name   string
			events int
		}{{a, "nats_connected", 2}, {a, "nats_disconnected", 1}, {b, "frame_rejected", 0}} {
			if got := x.of.events[x.name]; got != x.events {
				t.Errorf("%s came %d times, want %d", x.name, got, x.events)
			}
		}
		if a.events["lane_opened"] < 2 || a.events["lane_closed"] < 1 {
			t.Errorf("the lane was observed to open %d times and to close %d times", a.events["lane_opened"], a.events["lane_closed"])
		}
		stats, theirs := alice.Mgmt.Statistic(), bob.Mgmt.Statistic()
		if n := a.events["frame_sent data"]; n == 0 || int64(n) != stats["sent_frames"] || n != b.events["frame_received data"] {
			t.Errorf("%d data frames were observed to be sent and %d to come, the statistic says %d", n, b.events["frame_received data"], stats["sent_frames"])
		}
		if n := b.events["frame_sent status"]; n == 0 || int64(n) != theirs["sent_acks"] || n != a.events["frame_received status"] {
			t.Errorf("%d status frames were observed to be sent and %d to come, the statistic says %d", n, a.events["frame_received status"], theirs["sent_acks"])
		}
		if n := a.events["frame_sent keepalive"] + a.events["frame_sent discovery"]; int64(n) != stats["sent_keepalives"] {
			t.Errorf("%d announcements were observed to be sent, the statistic says %d", n, stats["sent_keepalives"])
		}
		if e := b.last[rmds.MessageHandled]; e.Attempt != 2 || e.Took != 3*time.Second || e.Waited < time.Second || e.Node != "alice" || e.Channel != "chat" {
			t.Errorf("the slow message was observed as %+v", e)
		}
		if e := b.last[rmds.MessageDeadLettered]; e.Detail != "bad" || e.Attempt != 1 || e.Node != "alice" {
			t.Errorf("the dead letter was observed as %+v", e)
		}
	})
}

func TestEveryEventHasAName(t *testing.T) {
	for k := rmds.MessagesAccepted; k <= rmds.LaneEnded; k++ {
		if k.String() == "unknown" {
			t.Errorf("event %d has no name", k)
		}
	}
	if (rmds.LaneEnded + 1).String() != "unknown" {
		t.Error("the last kind is not the last: add what follows to this test")
	}
}
