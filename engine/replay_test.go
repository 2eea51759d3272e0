package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// replay asks for a replay and lets everything happen that follows.
func (p *duo) replay() {
	p.t.Helper()
	if err := p.bob.Mgmt.Replay("chat"); err != nil {
		p.t.Fatal(err)
	}
	p.settle()
}

// handled checks what the present bob handled.
func (p *duo) handled(want ...[]string) {
	p.t.Helper()
	if got, want := p.got.list(), slices.Concat(want...); !slices.Equal(got, want) {
		p.t.Errorf("handled %q, want %q", got, want)
	}
}

// TestReplayAfterADeletedDatabase: what the old database had handled comes to the new one, in order, and only once, whoever starts anew afterwards.
func TestReplayAfterADeletedDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(5)
		p.settle()
		p.network.Restore("bob", nil)
		p.send(5)
		p.startBob()
		p.settle()
		p.wants(6, 10)
		p.replay()
		p.handled(numbered(6, 10), numbered(1, 10))
		p.account(10, 10, 0)
		p.send(1)
		p.settle()
		p.handled(numbered(6, 10), numbered(1, 11))
		records, err := p.bob.Mgmt.Audit()
		if err != nil || len(records) != 1 || records[0].Action != "replay chat" || !records[0].Over || records[0].Failed || records[0].By != "bob" {
			t.Errorf("audit record %+v, %v", records, err)
		}
		p.network.Kill("bob")
		p.startBob()
		p.send(1)
		p.settle()
		p.wants(12, 12)
		p.network.Kill("alice")
		p.startAlice()
		p.send(1)
		p.settle()
		p.wants(12, 13)
		p.account(13, 13, 0)
		p.replay() // once more
		p.handled(numbered(12, 13), numbered(1, 13))
		p.account(13, 13, 0)
	})
}

// TestReplayReachesASenderThatWasAway: also when the reader has started anew in between; and what waited there comes in its place.
func TestReplayReachesASenderThatWasAway(t *testing.T) {
	for _, again := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newDuo(t)
			p.send(3)
			p.settle()
			p.network.Partition("alice", "bob")
			p.send(2)
			p.settle()
			p.network.Kill("alice")
			p.network.Heal("alice", "bob")
			p.replay()
			p.wants(1, 3)
			if again {
				p.network.Kill("bob")
				p.startBob()
			}
			seen := len(p.got.list())
			p.startAlice()
			p.settle()
			if got := p.got.list()[seen:]; !slices.Equal(got, numbered(1, 5)) {
				t.Errorf("handled %q", got)
			}
			p.account(5, 5, 0)
			for _, a := range p.alice.Accounts() {
				if a.Ended && a.Removed != 2 {
					t.Errorf("the join before has %+v, want the two that waited removed", a)
				}
			}
		})
	}
}

// TestReplayWhileAHandlerRuns: its message is handled, and comes again in the order of the others; nothing is handled side by side.
func TestReplayWhileAHandlerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob := network.Connect(t, "bob")
		running, free, got := 0, make(chan struct{}), []string{}
		if err := bob.Join("chat", rmds.ReadOnly).Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
			if running++; running > 1 {
				t.Error("two at a time")
			}
			if m.Sender == "alice" {
				got = append(got, string(m.Data))
			}
			if len(got) == 2 {
				<-free
			}
			running--
			return rmds.Result{Effects: rmds.Effects{State: []rmds.StateChange{{Namespace: "n", Key: []byte(m.ID), Value: []byte("x")}}}}
		}); err != nil {
			t.Fatal(err)
		}
		alice := network.Connect(t, "alice")
		sendAll(t, alice.Join("chat", rmds.WriteOnly), numbered(1, 4))
		minute()
		if err := bob.Mgmt.Replay("chat"); err != nil {
			t.Fatal(err)
		}
		sendAll(t, network.Connect(t, "carol").Join("chat", rmds.WriteOnly), numbered(1, 4))
		minute()
		close(free)
		minute()
		if want := slices.Concat(numbered(1, 2), numbered(1, 4)); !slices.Equal(got, want) {
			t.Errorf("handled %q, want %q", got, want)
		}
		for _, a := range alice.Accounts() {
			if !a.Balanced() || !a.Ended && (a.Handled != 4 || a.Pending != 0) {
				t.Errorf("account %+v", a)
			}
		}
	})
}

// TestReplayLeavesOutWhatIsGone: what was purged or pruned stays away, and what nobody handles yet waits.
func TestReplayLeavesOutWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(3)
		p.settle()
		if err := p.alice.Mgmt.PurgeSent(rmds.Self); err != nil {
			t.Fatal(err)
		}
		p.send(2)
		p.settle()
		p.network.Kill("bob")
		p.send(2)
		if err := p.alice.Mgmt.PurgeQueue(rmds.Self); err != nil {
			t.Fatal(err)
		}
		p.send(2)
		p.bob, p.got = p.network.Connect(t, "bob"), &collector{}
		ch := p.bob.Join("chat", rmds.ReadOnly)
		p.replay()
		if a := p.current(); a.Pending != 6 {
			t.Errorf("account %+v, want six that wait, two of them to be skipped", a)
		}
		if err := ch.OnMessage(p.got.handle); err != nil {
			t.Fatal(err)
		}
		p.settle()
		p.handled(numbered(4, 5), numbered(8, 9))
		if a := p.current(); a.Accepted != 6 || a.Handled != 4 || a.Purged != 2 || a.Pending != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

func TestReplayOfOwnMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		c, got := network.Connect(t, "bob"), &collector{}
		ch, err := c.JoinChannel("work", rmds.RW, rmds.Own())
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.OnMessage(got.handle); err != nil {
			t.Fatal(err)
		}
		sendAll(t, ch, numbered(1, 3))
		minute()
		if err := c.Mgmt.Replay("work"); err != nil {
			t.Fatal(err)
		}
		minute()
		sendAll(t, ch, numbered(4, 4))
		minute()
		if want := slices.Concat(numbered(1, 3), numbered(1, 4)); !slices.Equal(got.list(), want) {
			t.Errorf("handled %q, want %q", got.list(), want)
		}
	})
}

func TestReplayRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		for name, c := range map[string]struct {
			node    *rmds.Connection
			channel string
			want    error
		}{
			"a channel that is not joined": {p.bob, "other", rmds.ErrLeft}, "no name": {p.bob, "", rmds.ErrLeft}, "a channel that is only written": {p.alice, "chat", rmds.ErrRole},
		} {
			if err := c.node.Mgmt.Replay(c.channel); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		outcomes := make(chan error, 8)
		for range cap(outcomes) {
			go func() { outcomes <- p.bob.Mgmt.Replay("chat") }()
		}
		for range cap(outcomes) {
			if err := <-outcomes; err != nil && !errors.Is(err, rmds.ErrReplaying) {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		if err := p.bob.Leave("chat"); err != nil {
			t.Fatal(err)
		}
		if err := p.bob.Mgmt.Replay("chat"); !errors.Is(err, rmds.ErrLeft) {
			t.Errorf("after leaving: %v", err)
		}
		if err := p.bob.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if err := p.bob.Mgmt.Replay("chat"); !errors.Is(err, rmds.ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
	})
}

// TestReaderRestoredFromBeforeItsReplay: it takes the later join over, and so has the replay once more; nothing is missing and nothing out of order.
func TestReaderRestoredFromBeforeItsReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(3)
		p.settle()
		backup := p.network.Backup("bob")
		p.replay()
		p.handled(numbered(1, 3), numbered(1, 3))
		p.network.Restore("bob", backup)
		p.send(2)
		p.startBob()
		p.settle()
		p.wants(1, 5)
		p.account(5, 5, 0)
	})
}
