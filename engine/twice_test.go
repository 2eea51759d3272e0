package engine_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// twin starts a second bob, on a copy of his disk or an empty one.
func (p *duo) twin(copied bool) (twin *rmds.Connection, name string, got *collector) {
	p.t.Helper()
	got = &collector{}
	disk := p.network.Backup("bob")
	if !copied {
		disk = nil
	}
	twin, name = p.network.Twin(p.t, "bob", disk)
	if err := twin.Join("chat", rmds.ReadOnly).OnMessage(got.handle); err != nil {
		p.t.Fatal(err)
	}
	return twin, name, got
}

func fenced(t *testing.T, who string, c *rmds.Connection, want bool) {
	t.Helper()
	err := c.Conflict()
	if got := errors.Is(err, rmds.ErrNodeIDTwice); got != want || got != (err != nil) {
		t.Errorf("%s stands back: %v (%v), want %v", who, got, err, want)
	}
}

// TestTheInstanceThatWasThereFirstGoesOn: a second one, on its own or a copied disk, gets nothing until the first is gone.
func TestTheInstanceThatWasThereFirstGoesOn(t *testing.T) {
	for _, c := range []struct {
		name           string
		copied, killed bool
	}{{"another disk, goodbye", false, false}, {"another disk, killed", false, true}, {"a copied disk, goodbye", true, false}, {"a copied disk, killed", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newDuo(t)
				p.send(3)
				p.settle()
				twin, _, got := p.twin(c.copied)
				time.Sleep(time.Second)
				fenced(t, "the twin", twin, true)
				fenced(t, "bob", p.bob, false)
				p.send(3)
				p.settle()
				p.settle()
				p.wants(1, 6)
				if list := got.list(); len(list) > 0 {
					t.Errorf("the twin got %q", list)
				}
				fenced(t, "the twin", twin, true)
				fenced(t, "bob", p.bob, false)
				if n := len(p.alice.Accounts()); n != 1 {
					t.Errorf("the sender has %d readers on record, want one", n)
				}
				p.account(6, 6, 0)
				if c.killed {
					p.network.Kill("bob")
				} else if err := p.bob.Unsubscribe(); err != nil {
					t.Fatal(err)
				}
				p.send(2)
				p.settle()
				p.settle()
				fenced(t, "the twin", twin, false)
				p.got = got
				if c.copied { // its place is that of the copy
					p.wants(4, 8)
				} else {
					p.wants(7, 8)
				}
				p.current()
			})
		})
	}
}

// TestASenderThatStandsBackKeepsItsMessages: they go out when it may go on.
func TestASenderThatStandsBackKeepsItsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		p.send(2)
		p.settle()
		twin, _ := p.network.Twin(t, "alice", p.network.Backup("alice"))
		out := twin.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Second)
		fenced(t, "the twin", twin, true)
		sendAll(t, out, numbered(3, 4))
		p.settle()
		p.wants(1, 2)
		if err := p.alice.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		p.settle()
		p.wants(1, 4)
		p.alice = twin
		p.account(4, 4, 0)
	})
}

// TestARestartIsNoClone: however quick, and whatever of the process before is still under way.
func TestARestartIsNoClone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDuo(t)
		for round := range 8 {
			p.network.Kill("bob")
			p.startBob()
			p.send(1)
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				fenced(t, "bob", p.bob, false)
			}
			p.wants(round+1, round+1)
		}
	})
}

// TestATieStopsBoth: of two that start together, or that had the id on both sides of a partition, neither is in the right.
func TestATieStopsBoth(t *testing.T) {
	for _, established := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newDuo(t)
			p.network.Kill("bob")
			p.network.Disconnect("bob")
			if established {
				p.network.Partition("bob", "bob")
				p.network.Reconnect("bob")
			}
			p.startBob()
			twin, name, got := p.twin(false)
			p.settle()
			if established {
				fenced(t, "bob", p.bob, false)
				fenced(t, "the twin", twin, false)
				p.network.Heal("bob", "bob")
			}
			p.network.Reconnect("bob")
			p.settle()
			fenced(t, "bob", p.bob, true)
			fenced(t, "the twin", twin, true)
			p.send(3)
			p.settle()
			p.settle()
			if n := len(p.got.list()) + len(got.list()); n > 0 {
				t.Errorf("%d messages were taken during the tie", n)
			}
			p.network.Kill(name)
			p.settle()
			fenced(t, "bob", p.bob, false)
			p.wants(1, 3)
		})
	}
}

func TestTwoInstancesOverNATS(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	alice := open(t, testConfig(t, dir, "alice", port))
	out := alice.Join("chat", rmds.WriteOnly)
	first, err := rmds.New(testConfig(t, dir, "bob", port))
	if err != nil {
		t.Fatal(err)
	}
	had, gets := &collector{}, &collector{}
	if err := first.Join("chat", rmds.ReadOnly).OnMessage(had.handle); err != nil {
		t.Fatal(err)
	}
	sendAll(t, out, numbered(1, 3))
	expect(t, "bob", had, numbered(1, 3))
	config := testConfig(t, dir, "bob", port)
	config.StoragePath = filepath.Join(dir, "second.db")
	second := open(t, config)
	if err := second.Join("chat", rmds.ReadOnly).OnMessage(gets.handle); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second instance stands back", func() bool { return errors.Is(second.Conflict(), rmds.ErrNodeIDTwice) })
	sendAll(t, out, numbered(4, 6))
	expect(t, "bob", had, numbered(1, 6))
	fenced(t, "the first", first, false)
	if n := len(gets.list()); n > 0 {
		t.Errorf("the second instance got %d messages", n)
	}
	if err := first.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, out, numbered(7, 9))
	expect(t, "the second instance", gets, numbered(7, 9)) // and nothing of what the first had handled
	fenced(t, "the second", second, false)
}

// TestAFrameOfADeadInstanceProvesNothing: only an answer to this process does.
func TestAFrameOfADeadInstanceProvesNothing(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	bob := open(t, testConfig(t, t.TempDir(), "bob", port))
	eventually(t, "a connection", bob.Connected)
	_, run := identity(t, bob)
	wires, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer wires.Close()
	answers, err := wires.SubscribeSync("rmds.discovery.bob")
	if err != nil {
		t.Fatal(err)
	}
	other := wire.Announcement{Node: "bob", Store: wire.ID{1}, Run: wire.ID{2}, Claim: wire.MaxClaim}
	tell := func() {
		other.Serial++
		if err := wires.Publish("rmds.discovery.bob", other.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	tell()
	eventually(t, "an answer to the other instance", func() bool {
		m, err := answers.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		a, err := wire.ParseAnnouncement(m.Data)
		return err == nil && a.Run == run && a.Rival == other.Run
	})
	fenced(t, "bob", bob, false)
	other.Rival = run
	tell()
	eventually(t, "bob stands back", func() bool { return bob.Conflict() != nil })
	other.Goodbye = true
	tell()
	eventually(t, "bob goes on", func() bool { return bob.Conflict() == nil })
}
