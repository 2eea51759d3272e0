package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

func audit(t *testing.T, c *rmds.Connection) []rmds.AuditRecord {
	t.Helper()
	list, err := c.Mgmt.Audit()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestOrdersAreObeyedOnceOverALossyNetwork: each node obeys each order once and has it on record, though half of the frames are lost and others come twice.
func TestOrdersAreObeyedOnceOverALossyNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		nodes := map[string]*rmds.Connection{}
		for _, id := range []string{"alice", "bob", "carol", "dave"} {
			nodes[id] = network.Connect(t, id)
			nodes[id].Join("of-"+id, rmds.WriteOnly)
		}
		chat := nodes["bob"].Join("chat", rmds.WriteOnly)
		carol := nodes["carol"].Join("chat", rmds.ReadOnly) // without a handler: its messages wait
		time.Sleep(5 * time.Second)
		sendAll(t, chat, numbered(1, 5))
		network.SetFaults(enginetest.Faults{Drop: 0.5, Duplicate: 0.3, MaxDelay: 100 * time.Millisecond})
		if err := nodes["alice"].Mgmt.PurgeQueue(); err != nil {
			t.Errorf("purge: %v", err)
		}
		if err := nodes["dave"].Mgmt.KickChannel("carol", "chat"); err != nil {
			t.Errorf("kick: %v", err)
		}
		if err := carol.OnMessage(func(*rmds.Message) {}); !errors.Is(err, rmds.ErrLeft) {
			t.Errorf("a handler on a channel that the node was kicked from: %v", err)
		}
		for id, c := range nodes {
			list := audit(t, c)
			if len(list) != 2 {
				t.Fatalf("%s has %d entries on record, want the purge and the kick: %+v", id, len(list), list)
			}
			kick, purge := list[0], list[1]
			if kick.By != "dave" || kick.Action != "kick carol from chat" || purge.By != "alice" || purge.Action != "purge what is pending" {
				t.Errorf("%s has on record %+v", id, list)
			}
			for _, e := range list {
				if e.Failed || !e.Over || e.By == id && e.Outcome != "obeyed by 4 of 4 nodes" || e.By != id && e.Outcome != "obeyed here" {
					t.Errorf("%s has on record %+v", id, e)
				}
			}
		}
		network.SetFaults(enginetest.Faults{})
		if a := nodes["bob"].Accounts(); len(a) != 1 || !a[0].Ended || !a[0].Balanced() {
			t.Errorf("bob's account after the kick: %+v", a)
		}
	})
}

func TestANodeThatDoesNotAnswerIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice, bob, carol := network.Connect(t, "alice"), network.Connect(t, "bob"), network.Connect(t, "carol")
		carol.Join("chat", rmds.ReadOnly)
		time.Sleep(5 * time.Second)
		network.Partition("alice", "bob")
		start := time.Now()
		err := alice.Mgmt.Kick("carol")
		if took := time.Since(start); took > rmds.AnswerTimeout+time.Second {
			t.Errorf("the call took %v", took)
		}
		var list rmds.OrderError
		if !errors.As(err, &list) || len(list) != 1 || list[0].Node != "bob" || !errors.Is(err, rmds.ErrNoAnswer) {
			t.Fatalf("kick without an answer of bob: %v", err)
		}
		if e := audit(t, alice)[0]; !e.Failed || !strings.Contains(e.Outcome, "obeyed by 2 of 3 nodes; bob") {
			t.Errorf("alice has on record %+v", e)
		}
		if len(audit(t, carol)) != 1 || len(audit(t, bob)) != 0 || carol.Channel("chat") != nil {
			t.Errorf("carol has on record %+v, bob %+v", audit(t, carol), audit(t, bob))
		}
		for _, err := range []error{alice.Mgmt.Kick("nobody"), alice.Mgmt.KickChannel("bob", "chat"), alice.Mgmt.KickChannel("bob")} {
			if !errors.Is(err, rmds.ErrLeft) {
				t.Errorf("a kick of what nobody has joined: %v", err)
			}
		}
		if err := alice.Mgmt.PurgeAll(rmds.Self); err != nil {
			t.Errorf("a purge here alone: %v", err)
		}
	})
}

// TestAKickReachesTheAbsent: a node that was away when it was kicked is told when it returns, until it has heard.
func TestAKickReachesTheAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice := network.Connect(t, "alice")
		chat := alice.Join("chat", rmds.WriteOnly)
		network.Connect(t, "bob").Join("chat", rmds.ReadOnly)
		time.Sleep(5 * time.Second)
		network.Kill("bob")
		time.Sleep(time.Minute)
		sendAll(t, chat, numbered(1, 3))
		if err := alice.Mgmt.Kick("bob"); err != nil {
			t.Fatal(err)
		}
		if a := alice.Accounts(); len(a) != 1 || a[0].Removed != 3 {
			t.Fatalf("account %+v", a)
		}
		network.SetFaults(enginetest.Faults{Drop: 0.7})
		bob := network.Connect(t, "bob")
		bob.Join("chat", rmds.ReadOnly)
		time.Sleep(2 * time.Minute)
		if bob.Channel("chat") != nil || len(bob.Joined()) != 0 {
			t.Error("bob is still on the channel")
		}
		if list := audit(t, bob); len(list) != 1 || list[0].By != "alice" {
			t.Errorf("bob has on record %+v", list)
		}
	})
}

// operator is a program that gives orders over NATS as a node called eve.
type operator struct {
	t       *testing.T
	nc      *nats.Conn
	answers *nats.Subscription
}

func newOperator(t *testing.T, port int) *operator {
	t.Helper()
	nc, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	answers, err := nc.SubscribeSync("rmds.management.eve.*")
	if err != nil {
		t.Fatal(err)
	}
	return &operator{t, nc, answers}
}

// order repeats an order, after an announcement, until it is answered, and returns the answer.
func (o *operator) order(to string, m wire.Management) []string {
	o.t.Helper()
	var args []string
	eventually(o.t, fmt.Sprintf("%s answers order %d", to, m.ID), func() bool {
		a := wire.Announcement{Node: "eve", Store: m.Store, Run: m.Run, Serial: serial.Add(1)}
		for subject, frame := range map[string][]byte{"discovery.eve": a.Append(nil), "management." + to + ".eve": m.Append(nil)} {
			if err := o.nc.Publish("rmds."+subject, frame); err != nil {
				o.t.Fatal(err)
			}
		}
		msg, err := o.answers.NextMsg(500 * time.Millisecond)
		if err != nil {
			return false
		}
		answer, err := wire.ParseManagement(msg.Data)
		if err != nil || !answer.Response {
			o.t.Fatalf("not an answer: %x", msg.Data)
		}
		args = answer.Args
		return answer.ID == m.ID && answer.Store == m.Store && answer.Run == m.Run && answer.Verb == m.Verb
	})
	return args
}

// TestAnOrderIsObeyedOnceAcrossARestart: the same order after a restart is answered, and does not purge what was sent since.
func TestAnOrderIsObeyedOnceAcrossARestart(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	eve := newOperator(t, port)
	purge := wire.Management{Verb: 2, Store: wire.ID{1}, Run: wire.ID{2}, ID: 7, Args: []string{"1"}}
	start := func() (*rmds.Connection, *rmds.Channel) {
		bob, err := rmds.New(testConfig(t, dir, "bob", port))
		if err != nil {
			t.Fatal(err)
		}
		ch, err := bob.JoinChannel("work", rmds.RW, rmds.Own())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "bob reads on record", func() bool { return len(bob.Accounts()) == 1 })
		return bob, ch
	}
	bob, ch := start()
	sendAll(t, ch, []string{"purged"})
	if got := eve.order("bob", purge); !slices.Equal(got, []string{"done"}) {
		t.Fatalf("answer %v", got)
	}
	if err := bob.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	bob, ch = start()
	defer bob.Unsubscribe()
	sendAll(t, ch, []string{"kept"})
	if got := eve.order("bob", purge); !slices.Equal(got, []string{"done"}) {
		t.Fatalf("answer to the repetition %v", got)
	}
	c := &collector{}
	if err := ch.OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	expect(t, "bob", c, []string{"kept"})
	if list := audit(t, bob); len(list) != 1 || list[0].By != "eve" {
		t.Errorf("bob has on record %+v", list)
	}
}

// TestOrdersThatMakeNoSenseAreRefused, a thousand of them, and a proper one behind them is obeyed.
func TestOrdersThatMakeNoSenseAreRefused(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	bob := open(t, testConfig(t, t.TempDir(), "bob", port))
	bob.Join("chat", rmds.RW)
	eventually(t, "bob is connected", bob.Connected)
	eve := newOperator(t, port)
	chat := []wire.OpenChannel{{Name: "chat", Join: 1}}
	for i, m := range []wire.Management{
		{Verb: 9}, {Verb: 2}, {Verb: 2, Args: []string{"0"}}, {Verb: 2, Args: []string{"4"}}, {Verb: 2, Args: []string{"-1"}}, {Verb: 2, Args: []string{"1", "1"}},
		{Verb: 1}, {Verb: 1, Args: []string{"bob"}}, {Verb: 1, Args: []string{"no.name"}, Channels: chat}, {Verb: 1, Args: []string{"bob", "x"}, Channels: chat},
	} {
		m.ID = uint64(i + 1)
		if got := eve.order("bob", m); len(got) != 2 || got[0] != "failed" {
			t.Errorf("answer to %+v: %v", m, got)
		}
	}
	for i := range 1000 {
		if err := eve.nc.Publish("rmds.management.bob.mallory", (&wire.Management{Verb: 77, ID: uint64(i)}).Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if got := eve.order("bob", wire.Management{Verb: 1, ID: 100, Args: []string{"bob"}, Channels: chat}); !slices.Equal(got, []string{"done"}) {
		t.Errorf("answer %v", got)
	}
	if bob.Channel("chat") != nil {
		t.Error("bob was kicked and is still on the channel")
	}
	if list := audit(t, bob); len(list) != 1 || list[0].Action != "kick bob from chat" {
		t.Errorf("on record %+v", list)
	}
}

// TestOrdersAreObeyedOnAFullDisk: a purge is what helps then, and it goes on record all the same.
func TestOrdersAreObeyedOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice, bob := network.Connect(t, "alice"), network.Connect(t, "bob")
		chat := bob.Join("chat", rmds.WriteOnly)
		alice.Join("chat", rmds.ReadOnly)
		time.Sleep(5 * time.Second)
		sendAll(t, chat, numbered(1, 20))
		network.FillDisk("bob", true)
		full := false
		for range 1000 {
			if _, err := chat.Send(t.Context(), rmds.Outgoing{Data: noise(1 << 20)}); errors.Is(err, rmds.ErrStorageFull) {
				full = true
				break
			}
		}
		if !full {
			t.Fatal("the disk does not fill up")
		}
		for name, order := range map[string]func(...rmds.Scope) error{"queue": alice.Mgmt.PurgeQueue, "all": alice.Mgmt.PurgeAll} {
			if err := order(); err != nil {
				t.Errorf("purge %s: %v", name, err)
			}
		}
		if list := audit(t, bob); len(list) != 2 || list[0].Failed || !list[0].Over {
			t.Errorf("bob has on record %+v", list)
		}
	})
}
