package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// rejoins is a reader of two channels that leaves one of them and comes back, and a copy of its disk from before.
type rejoins struct {
	*duo
	side   *rmds.Channel
	backup *enginetest.Backup
}

func newRejoins(t *testing.T, config *rmds.Config) *rejoins {
	p := &rejoins{duo: &duo{t: t, network: enginetest.NewNetwork(t)}}
	p.alice = p.network.ConnectWith(t, "alice", config)
	p.out, p.side = p.alice.Join("chat", rmds.WriteOnly), p.alice.Join("side", rmds.WriteOnly)
	p.startBob()
	p.settle()
	p.send(3)
	p.settle()
	p.wants(1, 3)
	p.backup = p.network.Backup("bob")
	if err := p.bob.Leave("chat"); err != nil {
		t.Fatal(err)
	}
	p.settle()
	if err := p.bob.Join("chat", rmds.ReadOnly).OnMessage(p.got.handle); err != nil {
		t.Fatal(err)
	}
	p.settle()
	p.send(3)
	p.settle()
	p.wants(1, 6)
	return p
}

func (p *rejoins) startBob() {
	p.duo.startBob()
	if err := p.bob.Join("side", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { _ = m.Ack() }); err != nil {
		p.t.Fatal(err)
	}
}

// joins are the numbers of bob's joins that go on, of chat and side.
func (p *rejoins) joins() (list []uint64) {
	joined := p.bob.Joined()
	slices.SortFunc(joined, func(a, b rmds.JoinInfo) int { return strings.Compare(a.Channel, b.Channel) })
	for _, j := range joined {
		list = append(list, j.Number)
	}
	return list
}

// accounts wants the present accounts of both channels to balance, with nothing pending.
func (p *rejoins) accounts(chat, side uint64) {
	p.t.Helper()
	for _, a := range p.alice.Accounts() {
		want := map[string]uint64{"chat": chat, "side": side}[a.Channel]
		if !a.Balanced() || a.Pending > 0 || !a.Ended && a.Handled != want {
			p.t.Errorf("%+v, want %d handled", a, want)
		}
	}
}

// TestReaderRestoredFromACopyOlderThanItsRejoin takes over the join that it had later, from its beginning, for good; nothing else is disturbed.
func TestReaderRestoredFromACopyOlderThanItsRejoin(t *testing.T) {
	for name, ordering := range map[string]rmds.Ordering{"one lane": rmds.OrderReceiver, "a lane for each channel": rmds.OrderChannel} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := rmds.DefaultConfig()
				c.Ordering = ordering
				p := newRejoins(t, c)
				p.network.Restore("bob", p.backup)
				p.send(2)
				sendAll(t, p.side, numbered(1, 2))
				p.startBob()
				p.settle()
				p.wants(4, 8)
				if got := p.joins(); !slices.Equal(got, []uint64{2, 1}) {
					t.Errorf("joins %v", got)
				}
				p.accounts(5, 2)
				p.network.Kill("bob")
				p.startBob()
				p.send(1)
				p.settle()
				p.wants(9, 9)
				p.accounts(6, 2)
				if len(p.alice.Status().Suspended) > 0 {
					t.Errorf("suspended: %+v", p.alice.Status().Suspended)
				}
			})
		})
	}
}

// TestASenderThatRestartedKnowsTheProof: what it needs to tell a reader of its later join is durable.
func TestASenderThatRestartedKnowsTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRejoins(t, rmds.DefaultConfig())
		p.network.Kill("alice")
		p.network.Restore("bob", p.backup)
		p.alice = p.network.Connect(t, "alice")
		p.out, p.side = p.alice.Join("chat", rmds.WriteOnly), p.alice.Join("side", rmds.WriteOnly)
		p.startBob()
		p.send(2)
		p.settle()
		p.wants(4, 8)
		p.accounts(5, 0)
	})
}

// TestAReplacedReaderRestoredFromBeforeItsRejoin: the same when the node has worked with another database meanwhile.
func TestAReplacedReaderRestoredFromBeforeItsRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRejoins(t, rmds.DefaultConfig())
		p.network.Restore("bob", nil)
		p.startBob()
		p.send(2)
		p.settle()
		p.wants(7, 8)
		p.network.Restore("bob", p.backup)
		p.send(2)
		p.startBob()
		p.settle()
		p.wants(4, 10)
		if got := p.joins(); !slices.Equal(got, []uint64{2, 1}) {
			t.Errorf("joins %v", got)
		}
		for _, a := range p.alice.Accounts() {
			if !a.Balanced() || a.Pending > 0 {
				t.Errorf("%+v", a)
			}
		}
	})
}

// TestARejoinInTheMiddleOfAHandler: the message that is being handled when the join changes is not handed over a second time beside it.
func TestARejoinInTheMiddleOfAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRejoins(t, rmds.DefaultConfig())
		p.network.Restore("bob", p.backup)
		p.network.Disconnect("alice")
		p.bob, p.got = p.network.Connect(t, "bob"), &collector{}
		hold := make(chan struct{})
		running, most := 0, 0
		if err := p.bob.Join("chat", rmds.ReadOnly).Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
			running++
			most = max(most, running)
			if string(m.Data) == "hold" {
				<-hold
			} else {
				p.got.mu.Lock()
				p.got.seen = append(p.got.seen, string(m.Data))
				p.got.mu.Unlock()
			}
			running--
			return rmds.Result{}
		}); err != nil {
			t.Fatal(err)
		}
		other := p.network.Connect(t, "carol").Join("chat", rmds.WriteOnly) // she knows of no other join than the first
		time.Sleep(10 * time.Second)
		if err := other.SendMessage("hold"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		p.network.Reconnect("alice")
		p.settle()
		if got := p.joins(); !slices.Equal(got, []uint64{2, 1}) || running != 1 {
			t.Errorf("joins %v, %d handlers", got, running)
		}
		close(hold)
		p.settle()
		p.wants(4, 6)
		if most != 1 {
			t.Errorf("%d messages at a time", most)
		}
	})
}

// TestAReaderRestoredFromBeforeItsLeave leaves again, and joins anew for good: its next join has a number that it never had.
func TestAReaderRestoredFromBeforeItsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRejoins(t, rmds.DefaultConfig())
		if err := p.bob.Leave("chat"); err != nil {
			t.Fatal(err)
		}
		p.settle()
		p.network.Restore("bob", p.backup)
		p.startBob()
		p.settle()
		if got := p.joins(); !slices.Equal(got, []uint64{1}) {
			t.Errorf("joins %v, want that of side alone", got)
		}
		p.wants(1, 0)
		if err := p.bob.Join("chat", rmds.ReadOnly).OnMessage(p.got.handle); err != nil {
			t.Fatal(err)
		}
		p.settle()
		p.send(2)
		p.settle()
		p.wants(7, 8)
		if got := p.joins(); !slices.Equal(got, []uint64{3, 1}) {
			t.Errorf("joins %v", got)
		}
		p.accounts(2, 0)
	})
}
