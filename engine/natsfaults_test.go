package engine_test

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/natsconn"
)

// startNATSWith starts a server whose options the test changes.
func startNATSWith(t *testing.T, port int, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true}
	change(o)
	s, err := server.NewServer(o)
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

// valve is a connection's TCP, which can be made to stand still as if the server, or the way to it, had stopped.
type valve struct {
	mu     sync.Mutex
	open   chan struct{} // closed: bytes flow
	writes bool          // it stops writes too
}

func newValve() *valve {
	v := &valve{open: make(chan struct{})}
	close(v.open)
	return v
}

func (v *valve) stop(writes bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open, v.writes = make(chan struct{}), writes
}

func (v *valve) release() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.open)
}

func (v *valve) pass(write bool) {
	v.mu.Lock()
	open := v.open
	free := write && !v.writes
	v.mu.Unlock()
	if !free {
		<-open
	}
}

// Dial makes the valve a nats.CustomDialer.
func (v *valve) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err // the client closes whatever it is given
	}
	return &valved{c, v}, nil
}

type valved struct {
	net.Conn
	v *valve
}

func (c *valved) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.v.pass(false)
	return n, err
}

func (c *valved) Write(b []byte) (int, error) {
	c.v.pass(true)
	return c.Conn.Write(b)
}

// couple is alice, who writes, and bob, who reads, behind valves.
type couple struct {
	alice, bob *rmds.Connection
	chat       *rmds.Channel
	seen       *collector
	hers, his  *valve
	sent       int
	dir        string
}

func newCouple(t *testing.T, port int) *couple {
	t.Helper()
	p := &couple{seen: &collector{}, hers: newValve(), his: newValve(), dir: t.TempDir()}
	p.alice = open(t, testConfig(t, p.dir, "alice", port), rmds.SetNATSOptions(nats.SetCustomDialer(p.hers)))
	p.bob = open(t, testConfig(t, p.dir, "bob", port), rmds.SetNATSOptions(nats.SetCustomDialer(p.his)))
	p.chat = p.alice.Join("chat", rmds.WriteOnly)
	if err := p.bob.Join("chat", rmds.ReadOnly).OnMessage(p.seen.handle); err != nil {
		t.Fatal(err)
	}
	p.send(t, 10)
	p.settle(t)
	return p
}

func (p *couple) send(t *testing.T, n int) {
	t.Helper()
	sendAll(t, p.chat, numbered(p.sent+1, p.sent+n))
	p.sent += n
}

func (p *couple) settle(t *testing.T) {
	t.Helper()
	expect(t, "bob", p.seen, numbered(1, p.sent))
	balanced(t, p.alice, uint64(p.sent))
}

// TestReconnectStorm: the server goes and comes twenty times under load.
func TestReconnectStorm(t *testing.T) {
	port := freePort(t)
	s := startNATS(t, port)
	p := newCouple(t, port)
	for range 20 {
		p.send(t, 20)
		stopNATS(s)
		p.send(t, 20)
		s = startNATS(t, port)
	}
	p.settle(t)
	if n := p.bob.Mgmt.Statistic()["reconnects"]; n == 0 {
		t.Error("bob has never connected again")
	}
}

// TestNATSPaused: nothing comes or goes for a while, on connections that stay.
func TestNATSPaused(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	p := newCouple(t, port)
	for _, v := range []*valve{p.hers, p.his} {
		v.stop(true)
		p.send(t, 200)
		v.release()
		p.settle(t)
	}
}

// TestSlowConsumerIsCutOff: bob's connection takes no bytes until the server ends it. What was under way is lost, and comes again.
func TestSlowConsumerIsCutOff(t *testing.T) {
	port := freePort(t)
	s := startNATSWith(t, port, func(o *server.Options) { o.MaxPayload, o.MaxPending = 128<<10, 256<<10 })
	p := newCouple(t, port)
	eve, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer eve.Close()
	p.his.stop(false)
	p.send(t, 50)
	eventually(t, "the server cuts bob off", func() bool { // alice alone would wait for bob
		if err := eve.Publish("rmds.data.chat.bob.eve", make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
		return s.NumSlowConsumers() > 0
	})
	p.send(t, 50)
	p.his.release()
	p.settle(t)
	if n := p.bob.Mgmt.Statistic()["reconnects"]; n == 0 {
		t.Error("bob was not cut off")
	}
}

// TestMaxPayloadChanges: a batch that fitted into a frame does not any more, and then does again.
func TestMaxPayloadChanges(t *testing.T) {
	port := freePort(t)
	limit := func(bytes int32) func(*server.Options) { return func(o *server.Options) { o.MaxPayload = bytes } }
	s := startNATSWith(t, port, limit(1<<20))
	p := newCouple(t, port)
	for _, payload := range []int32{64 << 10, 1 << 20, 16 << 10, 256 << 10} {
		stopNATS(s)
		for i := range 3 {
			if err := p.chat.SendMessage(append(noise(300<<10), byte(i))); err != nil {
				t.Fatal(err)
			}
		}
		s = startNATSWith(t, port, limit(payload))
		eventually(t, "everything has arrived", func() bool { a := p.alice.Accounts(); return len(a) == 1 && a[0].Pending == 0 })
	}
	if a := p.alice.Accounts()[0]; !a.Balanced() || a.Handled != 10+12 {
		t.Errorf("account %+v", a)
	}
}

// TestLameDuck: the server sends everybody away, and another takes its place.
func TestLameDuck(t *testing.T) {
	port := freePort(t)
	s := startNATSWith(t, port, func(o *server.Options) {
		o.LameDuckDuration, o.LameDuckGracePeriod = 200*time.Millisecond, 50*time.Millisecond
	})
	p := newCouple(t, port)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.LameDuckShutdown()
	}()
	p.send(t, 100)
	<-gone
	p.send(t, 100)
	startNATS(t, port)
	p.settle(t)
}

// sluice holds up a node's handler at the first data frame, so that what comes behind overruns its queue.
type sluice struct {
	transport.Conn
	transport.Handler
	open chan struct{}
}

func (g *sluice) Start(h transport.Handler) error {
	g.Handler = h
	return g.Conn.Start(g)
}

func (g *sluice) Receive(subject string, data []byte) {
	if strings.HasPrefix(subject, "rmds.data.") {
		<-g.open
	}
	g.Handler.Receive(subject, data)
}

// TestSubscriptionOverrun: frames that come faster than bob takes them are lost, counted, and sent again.
func TestSubscriptionOverrun(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	config := testConfig(t, dir, "bob", port)
	g := &sluice{Conn: natsconn.New(natsconn.Options{Servers: config.NATSServers, Queue: 4}), open: make(chan struct{})}
	bob := open(t, config, rmds.SetHarness(&harness.Harness{Dial: func(string) transport.Conn { return g }}))
	c := &collector{}
	if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	alice := open(t, testConfig(t, dir, "alice", port))
	chat := alice.Join("chat", rmds.WriteOnly)
	release := sync.OnceFunc(func() { close(g.open) })
	defer release()            // else a failure would wait for bob's end
	for n := 1; n <= 25; n++ { // each in a frame of its own; together they would fit into one
		sendAll(t, chat, numbered(n, n))
		eventually(t, "alice has sent it", func() bool { return alice.Mgmt.Statistic()["sent_frames"] >= int64(n) })
	}
	sendAll(t, chat, numbered(26, 500))
	release()
	expect(t, "bob", c, numbered(1, 500))
	balanced(t, alice, 500)
	if n := bob.Mgmt.Statistic()["overruns"]; n == 0 {
		t.Error("nothing was lost")
	}
}
