package natsconn

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/transporttest"
	"github.com/getevo/rmds-router/router/chaos/child"
)

// network is a NATS server that keeps its port over restarts.
type network struct {
	t        *testing.T
	port     int
	password string
	server   *server.Server
}

func newNetwork(t *testing.T) *network {
	text, err := child.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	address, err := net.ResolveTCPAddr("tcp", text)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, port: address.Port, password: "guest"}
	t.Cleanup(n.Down)
	return n
}

func (n *network) Up() {
	denied := &server.SubjectPermission{Deny: []string{transporttest.DeniedToken + ".>"}}
	unheard := &server.SubjectPermission{Deny: []string{"unheard"}}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: n.port, NoSigs: true, NoLog: true, NoAuthUser: "guest",
		Users: []*server.User{{Username: "guest", Password: n.password, Permissions: &server.Permissions{Publish: denied, Subscribe: unheard}}},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		n.t.Fatal("the server did not start")
	}
	n.server = s
}

func (n *network) Down() {
	if n.server != nil {
		n.server.Shutdown()
		n.server.WaitForShutdown()
		n.server = nil
	}
}

func (n *network) address() string {
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.port}).String()
}

func (n *network) Dial(name string) transport.Conn {
	o := Options{Servers: []string{n.address()}, Name: name}
	if name == transporttest.SmallQueue {
		o.Queue = 50
	}
	return New(o)
}

func TestConformance(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Network { return newNetwork(t) })
}

func start(t *testing.T, o Options) (*Conn, *transporttest.Recorder) {
	t.Helper()
	c, r := New(o), transporttest.NewRecorder(t)
	t.Cleanup(c.Close)
	if err := c.Start(r); err != nil {
		t.Fatal(err)
	}
	return c, r
}

// A client that the library closes is replaced, and so are its subscriptions.
func TestClientReplaced(t *testing.T) {
	n := newNetwork(t)
	n.Up()
	c, r := start(t, Options{Servers: []string{n.address()}})
	if err := c.Subscribe("x"); err != nil {
		t.Fatal(err)
	}
	r.Has(1, "connected")
	c.client.Load().Close()
	r.Has(1, "disconnected")
	r.Has(2, "connected")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish("x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	r.Has(1, "x=1")
}

func TestSubscriptionDenied(t *testing.T) {
	n := newNetwork(t)
	n.Up()
	c, r := start(t, Options{Servers: []string{n.address()}})
	if err := c.Subscribe("unheard"); err != nil {
		t.Fatal(err)
	}
	if e := r.FirstEvent(transport.Denied); e.Subject != "unheard" || e.Err == nil {
		t.Errorf("%+v", e)
	}
}

func TestInProcess(t *testing.T) {
	n := newNetwork(t)
	n.Up()
	c, r := start(t, Options{NATS: []nats.Option{nats.InProcessServer(n.server)}})
	if err := c.Subscribe("x"); err != nil {
		t.Fatal(err)
	}
	r.Has(1, "connected")
	if err := c.Publish("x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	r.Has(1, "x=1")
}

// Wrong credentials are told and tried again for ever.
func TestWrongPassword(t *testing.T) {
	n := newNetwork(t)
	n.Up()
	c, r := start(t, Options{Servers: []string{n.address()}, NATS: []nats.Option{nats.UserInfo("guest", "wrong")}})
	if e := r.FirstEvent(transport.Failed); !errors.Is(e.Err, nats.ErrAuthorization) {
		t.Errorf("%+v", e)
	}
	if c.Connected() {
		t.Error("connected with a wrong password")
	}
	n.Down()
	n.password = "wrong"
	n.Up()
	r.Has(1, "connected")
}

// A connection that the client does not yet know to be lost keeps nothing either.
func TestNothingBuffered(t *testing.T) {
	n := newNetwork(t)
	n.Up()
	c, r := start(t, Options{Servers: []string{n.address()}})
	if err := c.Subscribe("x"); err != nil {
		t.Fatal(err)
	}
	r.Has(1, "connected")
	lost := c.client.Load()
	n.Down()
	r.Has(1, "disconnected")
	c.client.Store(lost)
	if err := c.Publish("x", []byte("lost")); !errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("%v", err)
	}
	n.Up()
	r.Has(2, "connected")
	if err := c.Publish("x", []byte("end")); err != nil {
		t.Fatal(err)
	}
	r.Has(1, "x=end")
	if got := r.Messages(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// A server that takes connections and says nothing holds up neither Start, Publish, Subscribe nor Close.
func TestSilentServer(t *testing.T) {
	address, hangUp := silentServer(t)
	begun := time.Now()
	c, _ := start(t, Options{Servers: []string{address}, NATS: []nats.Option{nats.Timeout(time.Hour)}}) // what waits for the server is seen, however slow the machine
	if err := c.Publish("x", nil); !errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("%v", err)
	}
	if err := c.Subscribe("x"); err != nil {
		t.Errorf("%v", err)
	}
	if d := time.Since(begun); d > time.Minute {
		t.Errorf("held up for %v", d)
	}
	hangUp()
	c.Close()
	address, _ = silentServer(t)
	c, _ = start(t, Options{Servers: []string{address}})
	begun = time.Now()
	c.Close()
	if d := time.Since(begun); d > time.Minute {
		t.Errorf("Close took %v", d)
	}
}

// silentServer takes connections and says nothing, until it hangs up, at the latest when the test ends.
func silentServer(t *testing.T) (address string, hangUp func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
		}
	}()
	hangUp = sync.OnceFunc(func() {
		_ = l.Close()
		<-gone
	})
	t.Cleanup(hangUp)
	return l.Addr().String(), hangUp
}

func TestServers(t *testing.T) {
	for _, list := range [][]string{{"nats://"}, {"127.0.0.1:4222", "tls://user:pass@:4222"}, {"nats://a b"}} {
		c := New(Options{Servers: list})
		if err := c.Start(transporttest.NewRecorder(t)); !errors.Is(err, transport.ErrServer) {
			t.Errorf("%q: %v", list, err)
		}
		c.Close()
	}
	got, err := serverURLs([]string{"a:1, tls://b:2", "c"})
	if err != nil || len(got) != 3 || got[0] != "nats://a:1" || got[1] != "tls://b:2" || got[2] != "nats://c" {
		t.Errorf("%q %v", got, err)
	}
	c := New(Options{NATS: []nats.Option{nats.RootCAs("/does/not/exist")}})
	if err := c.Start(transporttest.NewRecorder(t)); err == nil {
		t.Error("an option that cannot work was taken")
	}
	c.Close()
}

func TestWait(t *testing.T) {
	for round, limit := range map[int]time.Duration{0: 250 * time.Millisecond, 1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 4: 2 * time.Second, 1 << 40: 2 * time.Second} {
		if d := wait(round); d < limit/2 || d > limit {
			t.Errorf("round %d: %v", round, d)
		}
	}
}
