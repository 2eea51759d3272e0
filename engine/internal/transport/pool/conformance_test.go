package pool_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/transport/pool"
	"github.com/getevo/rmds-router/engine/internal/transport/transporttest"
)

type network struct {
	*memconn.Network
	peer  pool.Peer
	parts []*part
}

// part is one of a pool's connections, which knows whether it has told of its state.
type part struct {
	transport.Conn
	handler transport.Handler
	up      atomic.Bool
}

func (p *part) Start(h transport.Handler) error {
	p.handler = h
	return p.Conn.Start(p)
}

func (p *part) Receive(subject string, data []byte) { p.handler.Receive(subject, data) }

func (p *part) Event(e transport.Event) {
	if e.Kind == transport.Connected { // before anybody hears of it: Down has to wait for its end
		p.up.Store(true)
	}
	p.handler.Event(e)
	if e.Kind == transport.Disconnected {
		p.up.Store(false)
	}
}

func (n *network) Dial(name string) transport.Conn {
	n.Deny(name, transporttest.DeniedToken+".>")
	if name == transporttest.SmallQueue {
		n.SetQueue(50)
	}
	var conns []transport.Conn
	for range 3 {
		p := &part{Conn: n.Network.Dial(name)}
		n.parts = append(n.parts, p)
		conns = append(conns, p)
	}
	return pool.New(conns, n.peer, n.peer)
}

// Down returns when every connection has told of it, for one that is back before another has told that it is lost makes the pool come and go.
func (n *network) Down() {
	n.Network.Down()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if !slices.ContainsFunc(n.parts, func(p *part) bool { return p.up.Load() }) {
			return
		}
	}
}

func TestConformance(t *testing.T) {
	for name, peer := range map[string]pool.Peer{
		"no peer":  func(string) (string, bool) { return "", false },
		"one peer": func(string) (string, bool) { return "alice", true },
	} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(*testing.T) transporttest.Network {
				n := memconn.NewNetwork(1)
				n.Down()
				return &network{Network: n, peer: peer}
			})
		})
	}
}

type events struct{ list []string }

func (e *events) Receive(string, []byte)      {}
func (e *events) Event(event transport.Event) { e.list = append(e.list, event.Kind.String()) }

// scripted is a connection that tells what a test wants it to.
type scripted struct {
	transport.Conn
	handler   transport.Handler
	published []string
}

func (s *scripted) Start(h transport.Handler) error { s.handler = h; return nil }
func (s *scripted) Publish(subject string, _ []byte) error {
	s.published = append(s.published, subject)
	return nil
}
func (s *scripted) tell(k transport.EventKind) { s.handler.Event(transport.Event{Kind: k}) }

// TestOneConnection: the pool is up when all are, and down when the first is not.
func TestOneConnection(t *testing.T) {
	a, b := &scripted{}, &scripted{}
	none := func(string) (string, bool) { return "", false }
	p, got := pool.New([]transport.Conn{a, b}, none, none), &events{}
	if err := p.Start(got); err != nil {
		t.Fatal(err)
	}
	check := func(step string, up bool, want ...string) {
		t.Helper()
		if p.Connected() != up || strings.Join(got.list, " ") != strings.Join(want, " ") {
			t.Errorf("%s: connected %v, events %v; want %v, %v", step, p.Connected(), got.list, up, want)
		}
	}
	b.tell(transport.Connected)
	check("one is up", false)
	a.tell(transport.Connected)
	check("both are up", true, "connected")
	b.tell(transport.Disconnected)
	a.tell(transport.Disconnected)
	check("both are down", false, "connected", "disconnected")
	b.tell(transport.Connected)
	b.tell(transport.Disconnected)
	b.tell(transport.Connected)
	check("one is back", false, "connected", "disconnected")
	a.tell(transport.Connected)
	check("both are back", true, "connected", "disconnected", "connected")
	a.tell(transport.Connected)
	check("a connection begins anew without word of a loss", true, "connected", "disconnected", "connected", "connected")
	a.tell(transport.Closed)
	b.tell(transport.Closed)
	check("closed", false, "connected", "disconnected", "connected", "connected", "closed")
}

// TestPeersAreSpread: a peer keeps to one connection, and many use all of them.
func TestPeersAreSpread(t *testing.T) {
	conns := []transport.Conn{&scripted{}, &scripted{}, &scripted{}}
	peer := func(subject string) (string, bool) { _, name, ok := strings.Cut(subject, "."); return name, ok }
	p := pool.New(conns, peer, peer)
	for range 2 {
		for _, name := range strings.Fields("a b c d e f g h i j k l m n o p q r s t") {
			if err := p.Publish("to."+name, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, c := range conns {
		list := c.(*scripted).published
		for _, s := range list {
			if n := strings.Count(" "+strings.Join(list, " ")+" ", " "+s+" "); n != 2 {
				t.Errorf("connection %d has %d of the 2 messages on %s", i, n, s)
			}
		}
		if len(list) == 0 {
			t.Errorf("connection %d has none of the messages to twenty peers", i)
		}
	}
}
