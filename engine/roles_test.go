package engine_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// cast is nodes on the channel chat, whose roles change by restarts, as a new configuration would change them. It runs in a bubble.
type cast struct {
	t       *testing.T
	network *enginetest.Network
	nodes   map[string]*rmds.Connection
	got     map[string]*collector // over all restarts
	next    map[string]int        // the number of a writer's next message
}

func newCast(t *testing.T) *cast {
	return &cast{t, enginetest.NewNetwork(t), map[string]*rmds.Connection{}, map[string]*collector{}, map[string]int{}}
}

// start starts a node, ending its process of before at once, and lets it join with a role; 0: not at all.
func (p *cast) start(id string, mode rmds.Mode, opts ...rmds.JoinOption) {
	p.t.Helper()
	p.network.Kill(id)
	p.nodes[id] = p.network.Connect(p.t, id)
	if p.got[id] == nil {
		p.got[id] = &collector{}
	}
	if mode != 0 {
		p.join(id, mode, opts...)
	}
}

func (p *cast) join(id string, mode rmds.Mode, opts ...rmds.JoinOption) {
	p.t.Helper()
	ch, err := p.nodes[id].JoinChannel("chat", mode, opts...)
	if err == nil && mode != rmds.WriteOnly {
		err = ch.OnMessage(p.got[id].handle)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// send sends two messages.
func (p *cast) send(id string) {
	p.t.Helper()
	sendAll(p.t, p.nodes[id].Channel("chat"), p.texts(id, p.next[id], p.next[id]+1))
	p.next[id] += 2
}

func (p *cast) texts(id string, from, to int) (list []string) {
	for _, text := range numbered(from, to) {
		list = append(list, id+"'s "+text)
	}
	return list
}

func (p *cast) pass() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

// wants checks what a node has handled of another's messages: pairs of the first and the last of a stretch.
func (p *cast) wants(id, of string, stretches ...int) {
	p.t.Helper()
	var want, got []string
	for i := 0; i < len(stretches); i += 2 {
		want = append(want, p.texts(of, stretches[i], stretches[i+1])...)
	}
	for _, text := range p.got[id].list() {
		if len(text) > len(of) && text[:len(of)] == of {
			got = append(got, text)
		}
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s handled %q of %s's, want %q", id, got, of, want)
	}
}

// account returns a writer's account of a reader's newest join; all its accounts must balance.
func (p *cast) account(writer, reader string) rmds.Account {
	p.t.Helper()
	allBalanced(p.t, p.nodes[writer])
	var newest rmds.Account
	for _, a := range p.nodes[writer].Accounts() {
		if a.Reader == reader && a.Join > newest.Join {
			newest = a
		}
	}
	return newest
}

// TestRolesHoldOnBothSides: who writes only is on nobody's record, and gets not one frame; who reads only cannot send; who does both gets what others send, and
// with Own what it sends itself.
func TestRolesHoldOnBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCast(t)
		p.start("both", rmds.RW)
		p.start("own", rmds.RW, rmds.Own())
		p.start("writer", rmds.WriteOnly)
		p.start("reader", rmds.ReadOnly)
		p.pass()
		for _, id := range []string{"both", "own", "writer"} {
			p.send(id)
			p.send(id)
		}
		if err := p.nodes["reader"].Channel("chat").SendMessage("no"); err == nil {
			t.Error("a reader sends")
		}
		p.pass()
		for id, want := range map[string]map[string]bool{
			"both":   {"own": true, "writer": true},
			"own":    {"both": true, "own": true, "writer": true},
			"writer": {},
			"reader": {"both": true, "own": true, "writer": true},
		} {
			for _, of := range []string{"both", "own", "writer", "reader"} {
				if want[of] {
					p.wants(id, of, 0, 3)
				} else {
					p.wants(id, of)
				}
				if a := p.account(of, id); want[of] && a.Handled != 4 || !want[of] && a.Reader != "" {
					t.Errorf("%s's account of %s: %+v", of, id, a)
				}
			}
		}
		if in := p.nodes["writer"].Inbound(); len(in) != 0 || p.nodes["writer"].Mgmt.Statistic()["received_frames"] != 0 {
			t.Errorf("the writer received %+v", in)
		}
	})
}

// TestReaderBecomesWriter: that is a leave. What waited for it is removed, it gets nothing more, and what it sends is taken.
func TestReaderBecomesWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCast(t)
		p.start("alice", rmds.RW)
		p.start("bob", rmds.ReadOnly)
		p.pass()
		p.send("alice")
		p.pass()
		p.network.Kill("bob")
		p.send("alice")
		p.pass()
		p.start("bob", rmds.WriteOnly)
		p.pass()
		if a := p.account("alice", "bob"); !a.Ended || a.Handled != 2 || a.Removed != 2 {
			t.Errorf("account %+v, want it ended with two handled and two removed", a)
		}
		p.send("alice")
		p.send("bob")
		p.pass()
		p.wants("bob", "alice", 0, 1)
		p.wants("alice", "bob", 0, 1)
		p.start("bob", rmds.ReadOnly) // as another reader, for whom there is what was sent while there was none
		p.pass()
		p.send("alice")
		p.pass()
		p.wants("bob", "alice", 0, 1, 4, 7)
		if a := p.account("alice", "bob"); a.Join != 2 || a.Ended || a.Accepted != 4 || a.Handled != 4 {
			t.Errorf("account %+v, want one of a second join", a)
		}
	})
}

// TestWriterBecomesReader: it reads from then on. What it had sent to one who was away waits while it does not write, and is not lost.
func TestWriterBecomesReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCast(t)
		p.start("alice", rmds.RW)
		p.start("bob", rmds.WriteOnly)
		p.pass()
		p.send("alice")
		p.send("bob")
		p.pass()
		p.network.Kill("alice")
		p.send("bob")
		p.pass()
		p.start("bob", rmds.ReadOnly)
		p.start("alice", rmds.RW)
		p.pass()
		p.send("alice")
		p.pass()
		p.wants("bob", "alice", 0, 3) // the first two were sent before there was a reader
		p.wants("alice", "bob", 0, 1)
		if a := p.account("bob", "alice"); a.Ended || a.Handled != 2 || a.Pending != 2 {
			t.Errorf("account %+v, want two pending", a)
		}
		if err := p.nodes["bob"].Channel("chat").SendMessage("no"); err == nil {
			t.Error("a reader sends")
		}
		p.start("bob", rmds.RW)
		p.send("bob")
		p.pass()
		p.wants("alice", "bob", 0, 5)
		p.send("alice")
		p.pass()
		p.wants("bob", "alice", 0, 5) // the join went on
	})
}

// TestBothBecomesReader: it goes on to read where it was, over both changes, and what it had sent waits until it writes again.
func TestBothBecomesReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCast(t)
		p.start("alice", rmds.RW)
		p.start("bob", rmds.RW)
		p.pass()
		p.send("bob")
		p.pass()
		p.network.Kill("alice")
		p.send("bob")
		p.network.Kill("bob")
		p.start("alice", rmds.RW)
		p.send("alice")
		p.start("bob", rmds.ReadOnly)
		p.send("alice")
		p.pass()
		p.wants("bob", "alice", 0, 3)
		p.wants("alice", "bob", 0, 1)
		p.network.Kill("bob")
		p.send("alice")
		p.start("bob", rmds.RW)
		p.pass()
		p.wants("bob", "alice", 0, 5)
		p.wants("alice", "bob", 0, 3)
		if a := p.account("alice", "bob"); a.Join != 1 || a.Ended || a.Handled != 6 {
			t.Errorf("account %+v, want all six of one join", a)
		}
	})
}

// TestOwnMessagesComeAndGo: Own is part of the configuration too. Without it the join of the node to itself ends, and with it again it begins anew; what others
// read is not touched.
func TestOwnMessagesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCast(t)
		p.start("bob", rmds.ReadOnly)
		p.start("alice", rmds.RW, rmds.Own())
		p.pass()
		p.send("alice")
		p.pass()
		p.start("alice", rmds.RW)
		p.pass()
		p.send("alice")
		p.pass()
		p.wants("alice", "alice", 0, 1)
		if a := p.account("alice", "alice"); !a.Ended || a.Handled != 2 {
			t.Errorf("account %+v, want it ended", a)
		}
		p.start("alice", rmds.RW, rmds.Own())
		p.pass()
		p.send("alice")
		p.pass()
		p.wants("bob", "alice", 0, 5)
		p.wants("alice", "alice", 0, 1, 4, 5)
	})
}

// TestChannelTakenOutOfTheConfiguration: a process that does not resume a join, and leaves it as the router does, ends it at the writers, those that are away
// included; one that only does not resume it keeps its place.
func TestChannelTakenOutOfTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCast(t)
		p.start("alice", rmds.WriteOnly)
		p.start("away", rmds.WriteOnly)
		p.start("bob", rmds.ReadOnly)
		p.pass()
		p.send("alice")
		p.send("away")
		p.pass()
		p.start("bob", 0)
		p.send("alice")
		p.send("away")
		p.pass()
		p.network.Kill("away")
		if a := p.account("alice", "bob"); a.Ended || a.Pending != 2 {
			t.Errorf("account %+v before the leave, want two pending", a)
		}
		if err := p.nodes["bob"].Leave("chat"); err != nil {
			t.Fatal(err)
		}
		if list := p.nodes["bob"].Joined(); len(list) != 0 {
			t.Errorf("after the leave bob has joined %+v", list)
		}
		p.pass()
		p.start("away", rmds.WriteOnly)
		p.send("alice")
		p.send("away")
		p.pass()
		for _, id := range []string{"alice", "away"} {
			if a := p.account(id, "bob"); !a.Ended || a.Handled != 2 || a.Removed < 2 || a.Pending != 0 {
				t.Errorf("%s's account %+v, want it ended with what waited removed", id, a)
			}
			p.wants("bob", id, 0, 1)
		}
	})
}
