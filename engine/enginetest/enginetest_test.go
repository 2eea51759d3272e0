package enginetest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// inbox keeps what a node handled.
type inbox struct {
	mu   sync.Mutex
	seen map[string]int
}

func (i *inbox) handle(m *engine.Message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.seen == nil {
		i.seen = map[string]int{}
	}
	i.seen[string(m.Data)]++
	_ = m.Ack()
}

func (i *inbox) missing(from, to int) (list []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := from; n <= to; n++ {
		if text := fmt.Sprint("message ", n); i.seen[text] == 0 {
			list = append(list, text)
		}
	}
	return list
}

func send(t *testing.T, ch *engine.Channel, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := ch.SendMessage(fmt.Sprint("message ", n)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCrashes(t *testing.T) {
	for name, crash := range map[string]func(*enginetest.Network, string){"kill": (*enginetest.Network).Kill, "power cut": (*enginetest.Network).PowerCut} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := enginetest.NewNetwork(t)
				var got inbox
				read := func() {
					if err := network.Connect(t, "bob").Join("chat", engine.ReadOnly).OnMessage(got.handle); err != nil {
						t.Fatal(err)
					}
				}
				read()
				alice := network.Connect(t, "alice")
				chat := alice.Join("chat", engine.WriteOnly)
				send(t, chat, 1, 10)
				time.Sleep(time.Second)
				crash(network, "bob")
				send(t, chat, 11, 20)
				crash(network, "alice")
				time.Sleep(5 * time.Hour)
				read()
				alice = network.Connect(t, "alice")
				send(t, alice.Join("chat", engine.WriteOnly), 21, 30)
				time.Sleep(time.Minute)
				if list := got.missing(1, 30); len(list) > 0 {
					t.Errorf("bob did not get %v", list)
				}
				for _, a := range alice.Accounts() {
					if !a.Balanced() || a.Handled != 30 {
						t.Errorf("account %+v", a)
					}
				}
			})
		})
	}
}

func TestFaultsOfTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		var got inbox
		network.Down()
		alice := network.Connect(t, "alice").Join("chat", engine.WriteOnly)
		if err := network.Connect(t, "bob").Join("chat", engine.ReadOnly).OnMessage(got.handle); err != nil {
			t.Fatal(err)
		}
		send(t, alice, 1, 10)
		network.Up()
		time.Sleep(time.Second)
		steps := []struct{ begin, end func() }{
			{func() { network.Disconnect("bob") }, func() { network.Reconnect("bob") }},
			{func() { network.Partition("alice", "bob") }, func() { network.Heal("alice", "bob") }},
			{func() {
				network.SetFaults(enginetest.Faults{Drop: 0.5, Duplicate: 0.2, Reorder: 0.2, Truncate: 0.1, Corrupt: 0.1, MaxDelay: time.Second})
			},
				func() { network.SetFaults(enginetest.Faults{}) }},
		}
		for i, step := range steps {
			step.begin()
			send(t, alice, 10*i+11, 10*i+20)
			time.Sleep(time.Minute)
			step.end()
		}
		time.Sleep(10 * time.Minute)
		if list := got.missing(1, 40); len(list) > 0 {
			t.Errorf("bob did not get %v", list)
		}
	})
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice := network.Connect(t, "alice").Join("chat", engine.WriteOnly)
		network.FillDisk("alice", true)
		noise := rand.NewChaCha8([32]byte{})
		refused := false
		for range 200 {
			data := make([]byte, 64<<10)
			_, _ = noise.Read(data) // never fails
			refused = refused || errors.Is(alice.SendMessage(data), engine.ErrStorageFull)
		}
		network.FillDisk("alice", false)
		time.Sleep(time.Second)
		if err := alice.SendMessage("there is room"); !refused || err != nil {
			t.Errorf("refused when full: %v; afterwards: %v", refused, err)
		}
	})
}

func TestConnectTwice(t *testing.T) {
	network := enginetest.NewNetwork(t)
	first := network.Connect(t, "alice")
	if err := first.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if again := network.Connect(t, "alice"); again.StoreID() != first.StoreID() {
		t.Error("after a close the node has another database")
	}
}
