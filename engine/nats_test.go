package engine_test

import (
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/chaos/child"
)

// patience bounds every wait of these tests. They wait for real processes and sockets, under a race detector, on busy machines.
const patience = 60 * time.Second

func startNATS(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatalf("the NATS server did not start: is something else listening at 127.0.0.1:%d?", port)
	}
	t.Cleanup(func() { stopNATS(s) })
	return s
}

func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// freePort returns a port that nobody listens on now, and that no outgoing connection takes while a server is down.
func freePort(t *testing.T) int {
	t.Helper()
	text, err := child.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	address, err := net.ResolveTCPAddr("tcp", text)
	if err != nil {
		t.Fatal(err)
	}
	return address.Port
}

func testConfig(t *testing.T, dir, id string, port int) *rmds.Config {
	t.Helper()
	c := rmds.DefaultConfig()
	c.NodeID = id
	c.NATSServers = []string{fmt.Sprintf("localhost:%d", port)}
	c.StoragePath = filepath.Join(dir, id+".db")
	return c
}

func open(t *testing.T, c *rmds.Config, opts ...rmds.Option) *rmds.Connection {
	t.Helper()
	connection, err := rmds.New(c, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := connection.Unsubscribe(); err != nil {
			t.Errorf("close %s: %v", connection.NodeID(), err)
		}
	})
	return connection
}

// collector keeps what a handler saw, in order.
type collector struct {
	mu   sync.Mutex
	seen []string
}

func (c *collector) handle(m *rmds.Message) {
	c.mu.Lock()
	c.seen = append(c.seen, string(m.Data))
	c.mu.Unlock()
	_ = m.Ack()
}

func (c *collector) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.seen...)
}

// eventually polls until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func expect(t *testing.T, who string, c *collector, want []string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has %d messages", who, len(want)), func() bool { return len(c.list()) >= len(want) })
	got := c.list()
	if len(got) != len(want) {
		t.Fatalf("%s handled %d messages, want %d", who, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: message %d is %q, want %q", who, i, got[i], want[i])
		}
	}
}

func numbered(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf("message %d", i))
	}
	return list
}

func sendAll(t *testing.T, ch *rmds.Channel, messages []string) {
	t.Helper()
	for _, m := range messages {
		if err := ch.SendMessage(m); err != nil {
			t.Fatal(err)
		}
	}
}

func balanced(t *testing.T, c *rmds.Connection, want uint64) {
	t.Helper()
	eventually(t, "everything is acknowledged", func() bool {
		for _, a := range c.Accounts() {
			if a.Pending > 0 {
				return false
			}
		}
		return true
	})
	for _, a := range c.Accounts() {
		if !a.Balanced() || a.Handled != want {
			t.Errorf("account %+v: want %d handled, and a balance", a, want)
		}
	}
}

func TestThousandMessagesInSequence(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	alice := open(t, testConfig(t, dir, "alice", port)).Join("chat", rmds.WriteOnly)
	var readers []*collector
	for _, id := range []string{"bob", "lisa", "andy"} {
		c := &collector{}
		readers = append(readers, c)
		if err := open(t, testConfig(t, dir, id, port)).Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
	}
	want := numbered(1, 1000)
	sendAll(t, alice, want)
	for i, c := range readers {
		expect(t, fmt.Sprint("reader ", i), c, want)
	}
}

func TestFourNodesWithoutNATSWhichComesLater(t *testing.T) {
	port := freePort(t)
	dir := t.TempDir()
	connection := open(t, testConfig(t, dir, "alice", port))
	alice := connection.Join("chat", rmds.WriteOnly)
	var readers []*collector
	for _, id := range []string{"bob", "lisa", "andy"} {
		c := &collector{}
		readers = append(readers, c)
		if err := open(t, testConfig(t, dir, id, port)).Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
	}
	want := numbered(1, 20)
	sendAll(t, alice, want)
	startNATS(t, port)
	for i, c := range readers {
		expect(t, fmt.Sprint("reader ", i), c, want)
	}
	eventually(t, "three accounts", func() bool { return len(connection.Accounts()) == 3 })
	balanced(t, connection, 20)
}

func TestNATSStopsInOperation(t *testing.T) {
	port := freePort(t)
	s := startNATS(t, port)
	dir := t.TempDir()
	connection := open(t, testConfig(t, dir, "alice", port))
	alice := connection.Join("chat", rmds.WriteOnly)
	c := &collector{}
	if err := open(t, testConfig(t, dir, "bob", port)).Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	sendAll(t, alice, numbered(1, 1))
	expect(t, "bob", c, numbered(1, 1))
	stopNATS(s)
	sendAll(t, alice, numbered(2, 3))
	startNATS(t, port)
	expect(t, "bob", c, numbered(1, 3))
	balanced(t, connection, 3)
}

func TestRestartOnBothSides(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	c := &collector{}
	var sent []string
	for round := range 4 {
		alice, err := rmds.New(testConfig(t, dir, "alice", port))
		if err != nil {
			t.Fatal(err)
		}
		bob, err := rmds.New(testConfig(t, dir, "bob", port))
		if err != nil {
			t.Fatal(err)
		}
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
		more := numbered(100*round+1, 100*round+100)
		sendAll(t, alice.Join("chat", rmds.WriteOnly), more)
		sent = append(sent, more...)
		if round%2 == 0 {
			expect(t, "bob", c, sent)
		}
		if err := bob.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if err := alice.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
	alice := open(t, testConfig(t, dir, "alice", port))
	alice.Join("chat", rmds.WriteOnly)
	if err := open(t, testConfig(t, dir, "bob", port)).Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	expect(t, "bob", c, sent)
	balanced(t, alice, 400)
}
