package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	rmds "github.com/getevo/rmds-router/engine"
)

// TestPoolKeepsOrderUnderReconnects: with several connections at both ends, every sender's messages are handled once and in order, though the
// connections are cut in any order and the server is restarted twice.
func TestPoolKeepsOrderUnderReconnects(t *testing.T) {
	const writers, messages = 6, 200
	port, dir := freePort(t), t.TempDir()
	nats := startNATS(t, port)
	pooled := func(id string) *rmds.Config {
		c := testConfig(t, dir, id, port)
		c.NATSPoolSize = 4
		return c
	}
	var got collector
	reader := open(t, pooled("reader"))
	if err := reader.Join("chat", rmds.ReadOnly).OnMessage(got.handle); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, writers)
	for w := range writers {
		ch := open(t, pooled(fmt.Sprintf("writer-%d", w))).Join("chat", rmds.WriteOnly)
		go func() {
			for n := range messages {
				if err := ch.SendMessage(fmt.Sprintf("%d %d", w, n)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
	}
	handled := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(patience); len(got.list()) < n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d messages handled", len(got.list()), n)
			}
		}
	}
	for deadline := time.Now().Add(patience); nats.NumClients() != 4*(writers+1); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections at the server, want 4 of each node", nats.NumClients())
		}
	}
	for round := range 2 {
		handled((round + 1) * writers * messages / 8)
		cutSome(t, nats)
		handled((round + 1) * writers * messages / 6)
		stopNATS(nats)
		nats = startNATS(t, port)
	}
	for range writers {
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	handled(writers * messages)
	for w := range writers {
		own := slices.DeleteFunc(got.list(), func(s string) bool { return !strings.HasPrefix(s, fmt.Sprintf("%d ", w)) })
		for n, s := range own {
			if s != fmt.Sprintf("%d %d", w, n) {
				t.Fatalf("writer %d: %q was handled as number %d", w, s, n)
			}
		}
	}
}

// cutSome cuts half of the server's connections, in any order.
func cutSome(t *testing.T, nats *server.Server) {
	t.Helper()
	z, err := nats.Connz(&server.ConnzOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rand.Shuffle(len(z.Conns), func(i, j int) { z.Conns[i], z.Conns[j] = z.Conns[j], z.Conns[i] })
	for _, c := range z.Conns[:len(z.Conns)/2] {
		_ = nats.DisconnectClientByID(c.Cid) // it may be gone by itself
	}
}

// TestPooledNodeMeetsOneWithout: how many connections a node has is its own affair.
func TestPooledNodeMeetsOneWithout(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	startNATS(t, port)
	var nodes []*rmds.Connection
	seen := map[string]*collector{}
	for i, size := range []int{1, 3} {
		id := fmt.Sprintf("node-%d", i)
		c := testConfig(t, dir, id, port)
		c.NATSPoolSize = size
		nodes = append(nodes, open(t, c))
		seen[id] = &collector{}
		if err := nodes[i].Join("chat", rmds.RW).OnMessage(seen[id].handle); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		if err := n.Channel("chat").SendMessage("from " + n.NodeID()); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(patience); len(seen["node-0"].list()) < 1 || len(seen["node-1"].list()) < 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("node-0 saw %v, node-1 saw %v", seen["node-0"].list(), seen["node-1"].list())
		}
	}
}
