package engine_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// TestALeaveReachesEveryWriter: those that hear it at once, those that are cut off, those whose process is another by then; over a network that loses
// most of what is said about it.
func TestALeaveReachesEveryWriter(t *testing.T) {
	for name, faults := range map[string]enginetest.Faults{"a good network": {}, "a bad network": {Drop: 0.7, Duplicate: 0.2, MaxDelay: 100 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newCast(t)
				writers := []string{"online", "parted", "killed"}
				for _, id := range writers {
					p.start(id, rmds.WriteOnly)
				}
				p.start("bob", rmds.ReadOnly)
				p.pass()
				for _, id := range writers {
					p.send(id)
				}
				p.pass()
				p.network.Partition("bob", "parted")
				p.network.Kill("killed")
				p.network.SetFaults(faults)
				if err := p.nodes["bob"].Channel("chat").Unsubscribe(); err != nil {
					t.Fatal(err)
				}
				p.send("parted")
				p.pass()
				if a := p.account("parted", "bob"); a.Ended || a.Pending != 2 {
					t.Errorf("account %+v of one that cannot have heard of the leave", a)
				}
				p.network.Heal("bob", "parted")
				p.start("killed", rmds.WriteOnly)
				p.send("killed")
				time.Sleep(10 * time.Minute)
				for _, id := range writers {
					p.send(id)
					if a := p.account(id, "bob"); !a.Ended || a.Handled != 2 || a.Pending != 0 {
						t.Errorf("%s's account %+v, want it ended", id, a)
					}
					p.wants("bob", id, 0, 1)
				}
			})
		})
	}
}

// TestALeaveIsTheAnswer: a writer that hears nothing of a leave and goes on to send is answered with it, also if the answer is lost at first; and
// so is one that opens a lane anew.
func TestALeaveIsTheAnswer(t *testing.T) {
	for name, others := range map[string]bool{"of one channel among others": true, "of the only channel": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &wires{Network: memconn.NewNetwork(1)}
				var answers atomic.Int64
				var deaf atomic.Bool // alice hears nothing that bob announces
				network.lose = func(node, subject string, data []byte) bool {
					if st, err := wire.ParseStatus(data); node == "bob" && err == nil {
						for _, c := range st.Channels {
							if c.State == wire.Left && answers.Add(1) <= 3 {
								return true
							}
						}
					}
					return deaf.Load() && node == "bob" && (strings.Contains(subject, ".discovery.") || strings.Contains(subject, ".keepalive."))
				}
				alice, bob := network.connect(t, "alice", rmds.DefaultConfig()), network.connect(t, "bob", rmds.DefaultConfig())
				chat, seen := alice.Join("chat", rmds.WriteOnly), acked(t, bob.Join("chat", rmds.ReadOnly))
				if others {
					alice.Join("other", rmds.WriteOnly)
					acked(t, bob.Join("other", rmds.ReadOnly))
				}
				time.Sleep(time.Minute)
				sendAll(t, chat, numbered(1, 3))
				time.Sleep(time.Second)
				deaf.Store(true)
				if err := bob.Channel("chat").Unsubscribe(); err != nil {
					t.Fatal(err)
				}
				sendAll(t, chat, numbered(4, 6))
				time.Sleep(25 * time.Second) // before bob, who is not heard any more, counts as offline
				if a := alice.Accounts(); !a[0].Ended || a[0].Handled != 3 || a[0].Removed != 3 || !a[0].Balanced() {
					t.Errorf("account %+v, want it ended with what waited removed", a[0])
				}
				if answers.Load() <= 3 {
					t.Errorf("the leave was answered %d times", answers.Load())
				}
				if list := seen(); len(list) != 3 {
					t.Errorf("handled %q", list)
				}
			})
		})
	}
}

// TestManyLeaves: more than one announcement can name, of joins that a writer does not hear of until it is back, some of them followed by others.
func TestManyLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		const channels = 300
		alice, bob := network.Connect(t, "alice"), network.Connect(t, "bob")
		for i := range channels {
			alice.Join(fmt.Sprint("c", i), rmds.WriteOnly)
			bob.Join(fmt.Sprint("c", i), rmds.ReadOnly)
		}
		time.Sleep(time.Minute)
		if n := len(alice.Accounts()); n != channels {
			t.Fatalf("%d joins on record, want %d", n, channels)
		}
		network.Disconnect("alice")
		for i := range channels {
			if err := alice.Channel(fmt.Sprint("c", i)).SendMessage("never handled"); err != nil {
				t.Fatal(err)
			}
			if err := bob.Channel(fmt.Sprint("c", i)).Unsubscribe(); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 { // again, and a newer join ends too
				if err := bob.Join(fmt.Sprint("c", i), rmds.ReadOnly).Unsubscribe(); err != nil {
					t.Fatal(err)
				}
			}
		}
		network.Reconnect("alice")
		time.Sleep(5 * time.Minute)
		for _, a := range alice.Accounts() {
			if !a.Ended || a.Removed != 1 || !a.Balanced() {
				t.Fatalf("account %+v, want it ended", a)
			}
		}
	})
}
