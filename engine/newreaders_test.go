package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// newcomers is a writer, alice, with readers that join her channel one after the other. It runs in a bubble.
type newcomers struct {
	t       *testing.T
	network *enginetest.Network
	config  *rmds.Config // alice's
	alice   *rmds.Connection
	out     *rmds.Channel
	got     map[string]*collector
	sent    int
}

func newNewcomers(t *testing.T, s rmds.Start) *newcomers {
	p := &newcomers{t: t, network: enginetest.NewNetwork(t), config: rmds.DefaultConfig(), got: map[string]*collector{}}
	p.start(s)
	return p
}

// start starts alice, with or without a database of before.
func (p *newcomers) start(s rmds.Start) {
	p.t.Helper()
	var err error
	p.alice = p.network.ConnectWith(p.t, "alice", p.config)
	if p.out, err = p.alice.JoinChannel("chat", rmds.WriteOnly, rmds.NewReaders(s)); err != nil {
		p.t.Fatal(err)
	}
}

// restart ends alice's process at once and starts another.
func (p *newcomers) restart(s rmds.Start) {
	p.t.Helper()
	p.network.Kill("alice")
	p.start(s)
}

// send sends three messages.
func (p *newcomers) send() {
	p.t.Helper()
	sendAll(p.t, p.out, numbered(p.sent+1, p.sent+3))
	p.sent += 3
}

// pass lets so much time pass that membership is known and everything that can be delivered is.
func (p *newcomers) pass() {
	time.Sleep(40 * time.Second)
	synctest.Wait()
}

// down takes the network away, and lets the nodes notice.
func (p *newcomers) down() {
	p.network.Down()
	synctest.Wait()
}

// join starts a reader, which may have been one before.
func (p *newcomers) join(id string) {
	p.t.Helper()
	p.attach(id, p.network.Connect(p.t, id).Join("chat", rmds.ReadOnly))
}

func (p *newcomers) attach(id string, ch *rmds.Channel) {
	p.t.Helper()
	if p.got[id] == nil {
		p.got[id] = &collector{}
	}
	if err := ch.OnMessage(p.got[id].handle); err != nil {
		p.t.Fatal(err)
	}
}

// wants checks that a reader handled every message from one on, and none before it.
func (p *newcomers) wants(id string, from int) {
	p.t.Helper()
	if got, want := p.got[id].list(), numbered(from, p.sent); !slices.Equal(got, want) {
		p.t.Errorf("%s handled %q, want messages %d to %d", id, got, from, p.sent)
	}
	allBalanced(p.t, p.alice)
}

var starts = map[rmds.Start]string{rmds.StartOpen: "open", rmds.StartAll: "all", rmds.StartHead: "head"}

// TestWhereNewReadersBegin: for each case, the first message that each reader gets under each choice. Three are sent at a time.
func TestWhereNewReadersBegin(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(*newcomers, rmds.Start)
		want   map[string][3]int // by reader: under open, all and head
	}{
		{"before any reader was known", func(p *newcomers, _ rmds.Start) {
			p.pass()
			p.send()
			p.join("bob")
		}, map[string][3]int{"bob": {1, 1, 4}}},
		{"the writer is killed before the first reader comes", func(p *newcomers, s rmds.Start) {
			p.pass()
			p.send()
			p.restart(s)
			p.pass()
			p.join("bob")
		}, map[string][3]int{"bob": {1, 1, 4}}},
		{"after some were delivered to another", func(p *newcomers, _ rmds.Start) {
			p.join("bob")
			p.pass()
			p.send()
			p.pass()
			p.join("carol")
		}, map[string][3]int{"bob": {1, 1, 1}, "carol": {4, 1, 4}}},
		{"what was kept for the first reader is not kept for the second", func(p *newcomers, _ rmds.Start) {
			p.pass()
			p.send()
			p.join("bob")
			p.pass()
			p.join("carol")
		}, map[string][3]int{"bob": {1, 1, 4}, "carol": {4, 1, 4}}},
		{"the end of that outlives the writer's process", func(p *newcomers, s rmds.Start) {
			p.send()
			p.join("bob")
			p.pass()
			p.restart(s)
			p.join("carol")
		}, map[string][3]int{"bob": {1, 1, 4}, "carol": {4, 1, 4}}},
		{"without a network, beside a reader on record", func(p *newcomers, _ rmds.Start) {
			p.join("bob")
			p.pass()
			p.send()
			p.pass()
			p.down()
			p.send()
			p.join("carol")
			p.network.Up()
		}, map[string][3]int{"bob": {1, 1, 1}, "carol": {4, 1, 7}}},
		{"the writer is killed without a network", func(p *newcomers, s rmds.Start) {
			p.join("bob")
			p.pass()
			p.send()
			p.pass()
			p.down()
			p.send()
			p.restart(s)
			p.join("carol")
			p.network.Up()
		}, map[string][3]int{"bob": {1, 1, 1}, "carol": {4, 1, 7}}},
		{"after another has left", func(p *newcomers, _ rmds.Start) {
			p.join("bob")
			p.pass()
			p.send()
			p.pass()
			if err := p.network.Connect(p.t, "dave").Join("chat", rmds.ReadOnly).Unsubscribe(); err != nil {
				p.t.Fatal(err)
			}
			p.pass()
			p.join("carol")
		}, map[string][3]int{"bob": {1, 1, 1}, "carol": {4, 1, 4}}},
	} {
		for i, s := range []rmds.Start{rmds.StartOpen, rmds.StartAll, rmds.StartHead} {
			t.Run(c.name+"/"+starts[s], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newNewcomers(t, s)
					c.script(p, s)
					p.pass()
					p.send()
					p.pass()
					for id, want := range c.want {
						p.wants(id, want[i])
					}
				})
			})
		}
	}
}

// TestWhereAReaderBeganIsOnRecord: the choice counts when a reader joins. What the writer's later processes choose changes nothing for it, whether or
// not it had a handler by then; who joins later goes by the later choice.
func TestWhereAReaderBeganIsOnRecord(t *testing.T) {
	for first, begins := range map[rmds.Start]int{rmds.StartOpen: 4, rmds.StartAll: 1, rmds.StartHead: 4} {
		for second, later := range map[rmds.Start]int{rmds.StartOpen: 7, rmds.StartAll: 1, rmds.StartHead: 7} {
			t.Run(fmt.Sprint(starts[first], " then ", starts[second]), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newNewcomers(t, first)
					p.join("bob")
					p.pass()
					p.send()
					p.pass()
					carol := p.network.Connect(t, "carol").Join("chat", rmds.ReadOnly) // without a handler
					p.pass()
					p.restart(second)
					p.pass()
					p.send()
					p.pass()
					p.attach("carol", carol)
					p.join("dave")
					p.pass()
					p.send()
					p.pass()
					p.wants("bob", 1)
					p.wants("carol", begins)
					p.wants("dave", later)
				})
			})
		}
	}
}

// TestAReaderThatReturnsBeginsAnew: who left and joins again is a new reader, which the choice holds for.
func TestAReaderThatReturnsBeginsAnew(t *testing.T) {
	for s, want := range map[rmds.Start][]string{
		rmds.StartOpen: append(numbered(1, 3), numbered(7, 9)...),
		rmds.StartHead: append(numbered(1, 3), numbered(7, 9)...),
		rmds.StartAll:  append(numbered(1, 3), numbered(1, 9)...),
	} {
		t.Run(starts[s], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newNewcomers(t, s)
				p.join("stayer")
				bob := p.network.Connect(t, "bob")
				p.attach("bob", bob.Join("chat", rmds.ReadOnly))
				p.pass()
				p.send()
				p.pass()
				if err := bob.Channel("chat").Unsubscribe(); err != nil {
					t.Fatal(err)
				}
				p.pass()
				p.send()
				p.pass()
				p.attach("bob", bob.Join("chat", rmds.ReadOnly))
				p.pass()
				p.send()
				p.pass()
				if got := p.got["bob"].list(); !slices.Equal(got, want) {
					t.Errorf("bob handled %q, want %q", got, want)
				}
				p.wants("stayer", 1)
			})
		})
	}
}

// TestAllIsWhatIsRetained: what was pruned meanwhile is not replayed.
func TestAllIsWhatIsRetained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newNewcomers(t, rmds.StartAll)
		p.config.DeliveredMessageRetention, p.config.MessageCleanupInterval = 10*time.Minute, time.Minute
		p.restart(rmds.StartAll)
		p.join("bob")
		p.pass()
		p.send()
		time.Sleep(15 * time.Minute)
		p.send()
		p.pass()
		p.join("carol")
		p.pass()
		p.wants("bob", 1)
		p.wants("carol", 4)
	})
}

// TestNothingIsKeptForNobody: where new readers begin with what is sent from then on, a channel without readers keeps nothing for them, and so it has no limit.
func TestNothingIsKeptForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := rmds.DefaultConfig()
		config.MaxMessagesPerReceiver = 5
		alice := enginetest.NewNetwork(t).ConnectWith(t, "alice", config)
		out, err := alice.JoinChannel("chat", rmds.WriteOnly, rmds.NewReaders(rmds.StartHead))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		sendAll(t, out, numbered(1, 20))
	})
}

// TestWhatWasKeptIsLetGo: once new readers begin with what is sent from then on, what an earlier process kept for them counts towards nothing.
func TestWhatWasKeptIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := rmds.DefaultConfig()
		config.MaxMessagesPerReceiver = 5
		network := enginetest.NewNetwork(t)
		out := network.ConnectWith(t, "alice", config).Join("chat", rmds.WriteOnly)
		sendAll(t, out, numbered(1, 5))
		if err := out.SendMessage("more"); !errors.Is(err, rmds.ErrReaderFull) {
			t.Fatalf("a sixth message for readers yet to come: %v", err)
		}
		network.Kill("alice")
		network.Down()
		out, err := network.ConnectWith(t, "alice", config).JoinChannel("chat", rmds.WriteOnly, rmds.NewReaders(rmds.StartHead))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		sendAll(t, out, numbered(1, 20))
	})
}
