package engine_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Programs of three ages. There is one batch version so far; the second exists in this test alone.
var (
	before = wire.Versions{Oldest: 1, Newest: 1}
	middle = wire.Versions{Oldest: 1, Newest: 2}
	after  = wire.Versions{Oldest: 2, Newest: 2}
)

// fleet is nodes whose programs are replaced while their databases stay.
type fleet struct {
	network *memconn.Network
	disks   map[string]*crashvfs.Disk
}

func newFleet(t *testing.T) *fleet {
	f := &fleet{memconn.NewNetwork(1), map[string]*crashvfs.Disk{}}
	t.Cleanup(func() {
		for _, d := range f.disks {
			d.Close()
		}
	})
	return f
}

func (f *fleet) start(t *testing.T, id string, v wire.Versions) *rmds.Connection {
	t.Helper()
	if f.disks[id] == nil {
		f.disks[id] = crashvfs.New(1)
	}
	c, err := rmds.New(nil, rmds.SetID(id), rmds.SetStoragePath("node.db"), rmds.SetHarness(&harness.Harness{Dial: f.network.Dial, VFS: f.disks[id].Name(), Batches: v}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stop(t *testing.T, c *rmds.Connection) {
	t.Helper()
	if err := c.Unsubscribe(); err != nil {
		t.Error(err)
	}
}

// TestUpgradeInTheMiddle: whatever the order in which a writer and a reader are replaced by a newer program, everything arrives in order.
func TestUpgradeInTheMiddle(t *testing.T) {
	for name, order := range map[string][][2]wire.Versions{ // writer and reader
		"the reader first":    {{before, before}, {before, middle}, {middle, middle}, {after, middle}, {after, after}},
		"the writer first":    {{before, before}, {middle, before}, {middle, middle}, {middle, after}},
		"and back again":      {{middle, middle}, {before, middle}, {middle, before}},
		"both at once":        {{before, before}, {middle, middle}, {after, after}},
		"old log, new reader": {{middle, before}, {middle, after}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFleet(t), &collector{}
				sent := 0
				for _, v := range order {
					alice := f.start(t, "alice", v[0])
					chat := alice.Join("chat", rmds.WriteOnly)
					sendAll(t, chat, numbered(sent+1, sent+50)) // behind what waits
					bob := f.start(t, "bob", v[1])
					if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
						t.Fatal(err)
					}
					sent += 50
					time.Sleep(2 * time.Second)
					f.network.Disconnect("bob") // the next pair finds some pending
					sendAll(t, chat, numbered(sent+1, sent+50))
					sent += 50
					stop(t, bob)
					stop(t, alice)
					f.network.Reconnect("bob")
				}
				last := order[len(order)-1]
				alice, bob := f.start(t, "alice", last[0]), f.start(t, "bob", last[1])
				defer stop(t, alice)
				defer stop(t, bob)
				alice.Join("chat", rmds.WriteOnly)
				if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				expect(t, "bob", c, numbered(1, sent))
				balanced(t, alice, uint64(sent))
			})
		})
	}
}

// TestNoCommonVersion: a reader that is too old for one channel's batches gets nothing of it, loudly, and everything when it is upgraded.
func TestNoCommonVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFleet(t), &collector{}
		alice := f.start(t, "alice", after)
		defer stop(t, alice)
		chat := alice.Join("chat", rmds.WriteOnly)
		bob := f.start(t, "bob", before)
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
		sendAll(t, chat, numbered(1, 30))
		time.Sleep(10 * time.Minute)
		suspended := alice.Status().Suspended
		if len(suspended) != 1 || suspended[0].Node != "bob" || suspended[0].Channel != "chat" || !strings.Contains(suspended[0].Reason, "no common version") || suspended[0].For < 9*time.Minute {
			t.Errorf("suspended %+v", suspended)
		}
		if got := alice.Mgmt.Statistic(); got["suspended"] != 1 || got["pending"] != 30 || got["dropped"] != 0 {
			t.Errorf("statistic %v", got)
		}
		stop(t, bob)
		bob = f.start(t, "bob", middle)
		defer stop(t, bob)
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		expect(t, "bob", c, numbered(1, 30))
		balanced(t, alice, 30)
		if suspended := alice.Status().Suspended; len(suspended) != 0 {
			t.Errorf("still suspended %+v", suspended)
		}
	})
}
