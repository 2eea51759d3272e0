package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// unprompted is a configuration by which no node says anything of its own accord for hours: what it says, it was asked for, or tells of a change.
func unprompted() *rmds.Config {
	c := rmds.DefaultConfig()
	c.KeepaliveInterval, c.DiscoveryBroadcastInterval, c.NodeOfflineTimeout = 10*time.Hour, 10*time.Hour, 100*time.Hour
	return c
}

// knows tells whether a node lists another as online, in a mode on the channel chat and with a consumer.
func knows(c *rmds.Connection, node string, mode rmds.Mode) bool {
	for _, n := range c.Mgmt.Nodes() {
		if n.ID == node && n.Online && len(n.Channels) == 1 && n.Channels[0] == (rmds.ChannelRole{Channel: "chat", Mode: mode, Ready: mode != rmds.WriteOnly}) {
			return true
		}
	}
	return false
}

// acquainted tells whether writers and readers, by id, all know each other.
func acquainted(writers, readers map[string]*rmds.Connection) bool {
	for w, writer := range writers {
		for r, reader := range readers {
			if !knows(writer, r, rmds.ReadOnly) || !knows(reader, w, rmds.WriteOnly) {
				return false
			}
		}
	}
	return true
}

// within polls, in a bubble, and tells how much time passed until f was true.
func within(t *testing.T, most time.Duration, what string, f func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !f() {
		if time.Since(begin) > most {
			t.Fatalf("not within %v: %s", most, what)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
	}
	return time.Since(begin)
}

// TestDiscoveryWithinASecond, whoever is there first: writer, reader or network. What the writer sent before arrives within that second too.
func TestDiscoveryWithinASecond(t *testing.T) {
	starts := map[string]func(p *enginetest.Network, writer, reader func()){
		"the writer first": func(_ *enginetest.Network, writer, reader func()) { writer(); time.Sleep(time.Hour); reader() },
		"the reader first": func(_ *enginetest.Network, writer, reader func()) { reader(); time.Sleep(time.Hour); writer() },
		"both at once":     func(_ *enginetest.Network, writer, reader func()) { reader(); writer() },
		"the network last, the writer before it": func(p *enginetest.Network, writer, reader func()) {
			p.Down()
			reader()
			writer()
			time.Sleep(time.Hour)
			p.Up()
		},
		"the network last, the reader before it": func(p *enginetest.Network, writer, reader func()) {
			p.Down()
			writer()
			reader()
			time.Sleep(time.Hour)
			p.Up()
		},
		"the network comes back": func(p *enginetest.Network, writer, reader func()) {
			writer()
			p.Down()
			reader()
			time.Sleep(time.Hour)
			p.Up()
		},
		"the writer is cut off and comes back": func(p *enginetest.Network, writer, reader func()) {
			writer()
			p.Disconnect("writer")
			reader()
			time.Sleep(time.Hour)
			p.Reconnect("writer")
		},
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := enginetest.NewNetwork(t)
				network.SetFaults(enginetest.Faults{MinDelay: 5 * time.Millisecond, MaxDelay: 20 * time.Millisecond})
				var got collector
				writers, readers := map[string]*rmds.Connection{}, map[string]*rmds.Connection{}
				start(network, func() {
					writers["writer"] = network.ConnectWith(t, "writer", unprompted())
					sendAll(t, writers["writer"].Join("chat", rmds.WriteOnly), numbered(1, 3))
				}, func() {
					readers["reader"] = network.ConnectWith(t, "reader", unprompted())
					if err := readers["reader"].Join("chat", rmds.ReadOnly).OnMessage(got.handle); err != nil {
						t.Fatal(err)
					}
				})
				took := within(t, time.Second, "they know each other, and the messages are there", func() bool { return acquainted(writers, readers) && len(got.list()) == 3 })
				t.Log(took)
			})
		})
	}
}

// TestManyDiscoverEachOtherWithinASecond: a network that comes up under a dozen nodes, and one that comes to it later.
func TestManyDiscoverEachOtherWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		network.SetFaults(enginetest.Faults{MinDelay: 5 * time.Millisecond, MaxDelay: 20 * time.Millisecond})
		network.Down()
		writers, readers := map[string]*rmds.Connection{}, map[string]*rmds.Connection{}
		write := func(id string) {
			writers[id] = network.ConnectWith(t, id, unprompted())
			writers[id].Join("chat", rmds.WriteOnly)
		}
		for i := range 6 {
			id := fmt.Sprint("reader-", i)
			readers[id] = network.ConnectWith(t, id, unprompted())
			if err := readers[id].Join("chat", rmds.ReadOnly).AckUnhandled(); err != nil {
				t.Fatal(err)
			}
			write(fmt.Sprint("writer-", i))
		}
		time.Sleep(time.Hour)
		network.Up()
		within(t, time.Second, "all know each other", func() bool { return acquainted(writers, readers) })
		time.Sleep(time.Hour)
		write("latecomer")
		within(t, time.Second, "the latecomer and all others know each other", func() bool { return acquainted(writers, readers) })
	})
}

// TestDiscoveryOverNATS: with a real server nodes hear of each other because they come, not because hours have passed, in both orders; and when
// the server comes last.
func TestDiscoveryOverNATS(t *testing.T) {
	for _, order := range []string{"writer, reader", "reader, writer", "reader, writer, NATS"} {
		t.Run(order, func(t *testing.T) {
			port, dir := freePort(t), t.TempDir()
			start := func(id string) *rmds.Connection {
				own, config := testConfig(t, dir, id, port), unprompted()
				config.NodeID, config.NATSServers, config.StoragePath = own.NodeID, own.NATSServers, own.StoragePath
				return open(t, config)
			}
			if order != "reader, writer, NATS" {
				startNATS(t, port)
			}
			writers, readers := map[string]*rmds.Connection{}, map[string]*rmds.Connection{}
			var got collector
			write := func() {
				writers["writer"] = start("writer")
				sendAll(t, writers["writer"].Join("chat", rmds.WriteOnly), numbered(1, 3))
			}
			if order == "writer, reader" {
				write()
				eventually(t, "the writer is connected", writers["writer"].Connected)
			}
			readers["reader"] = start("reader")
			if err := readers["reader"].Join("chat", rmds.ReadOnly).OnMessage(got.handle); err != nil {
				t.Fatal(err)
			}
			if order == "reader, writer" {
				eventually(t, "the reader is connected", readers["reader"].Connected)
			}
			if order != "writer, reader" {
				write()
			}
			if order == "reader, writer, NATS" {
				startNATS(t, port)
			}
			eventually(t, "they know each other", func() bool { return acquainted(writers, readers) })
			expect(t, "the reader", &got, numbered(1, 3))
		})
	}
}
