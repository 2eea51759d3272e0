package node

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// target is one node under fire, and what its peers hear of it.
type target struct {
	*Node
	disk    *crashvfs.Disk
	network *memconn.Network

	mu      sync.Mutex
	handled map[wire.ID]uint64 // by the run of the messages
	sent    map[wire.ID]uint64 // the last sequence in any frame made for a run
	heard   []wire.Status
}

// The names, stores and runs that frames are made with. The first is a node's own.
var (
	fuzzNames    = []string{"bob", "alice", "eve"}
	fuzzStores   = []wire.ID{{}, {0xA1}, {0xE1}}
	fuzzRuns     = []wire.ID{{}, {0xA2}, {0xA3}, {0xE2}}
	fuzzChannels = []string{"c", "d", "unknown"}
)

func newTarget(t *testing.T) *target {
	disk := crashvfs.New(1)
	network := memconn.NewNetwork(1)
	n, err := Open(Options{Store: store.Options{Path: "node.db", VFS: disk.Name(), NoLock: true, Sync: "full", NodeID: "bob"}, Conn: network.Dial("bob"),
		Subjects: wire.Subjects{Prefix: "rmds.", Management: "management", Discovery: "discovery", Keepalive: "keepalive"}, Logger: zerolog.Nop(),
		Kicked: func(string) {}, AckTimeout: time.Second, RetryInterval: time.Millisecond, MaxAttempts: 2, MaxPerReceiver: 100, MaxInFlight: 100, MaxBytes: 1 << 16,
		MaxMessageSize: 1 << 16, Parallel: 1, Keepalive: time.Minute, Offline: time.Minute, Broadcast: time.Minute, Forget: time.Hour, Cleanup: time.Hour, Retention: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	g := &target{Node: n, disk: disk, network: network, handled: map[wire.ID]uint64{}, sent: map[wire.ID]uint64{}}
	ears := network.Dial("ears")
	if err := ears.Subscribe("rmds.status.>"); err != nil {
		t.Fatal(err)
	}
	if err := ears.Start(g); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ears.Close()
		n.Abort()
		disk.Close()
	})
	for _, name := range fuzzChannels[:2] {
		if _, err := n.Join(Join{Channel: name, Role: wire.Both}); err != nil {
			t.Fatal(err)
		}
		if err := n.Attach(name, g.consume); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// consume handles most messages and rejects some.
func (g *target) consume(_ context.Context, d *inbox.Delivery) inbox.Verdict {
	if len(d.Message.Data) > 3 {
		return inbox.Verdict{Kind: inbox.Dead}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handled[d.Run]++
	return inbox.Verdict{Kind: inbox.Ack}
}

func (g *target) Receive(_ string, data []byte) {
	if st, err := wire.ParseStatus(data); err == nil {
		g.mu.Lock()
		g.heard = append(g.heard, *st)
		g.mu.Unlock()
	}
}

func (g *target) Event(transport.Event) {}

// check holds what the node told its peers against what it was given and what its consumer saw.
func (g *target) check(t *testing.T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	handled := uint64(0)
	for _, n := range g.handled {
		handled += n
	}
	for _, st := range g.heard {
		for _, c := range st.Channels {
			if c.Totals.Handled > handled {
				t.Errorf("%d handled messages were acknowledged, the consumer saw %d: %+v", c.Totals.Handled, handled, st)
			}
			for _, p := range c.Committed {
				if p.Seq > g.sent[p.Run] {
					t.Errorf("position %d was acknowledged, nothing beyond %d was sent: %+v", p.Seq, g.sent[p.Run], st)
				}
			}
		}
	}
}

// script reads frames off fuzzed bytes.
type script struct {
	b    []byte
	last []byte // the frame before
}

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	v := s.b[0]
	s.b = s.b[1:]
	return v
}

func pick[T any](s *script, list []T) T { return list[int(s.byte())%len(list)] }

func (s *script) store(g *target) wire.ID {
	if id := pick(s, fuzzStores); id != (wire.ID{}) {
		return id
	}
	return g.Store().ID()
}

func (s *script) run(g *target) wire.ID {
	if id := pick(s, fuzzRuns); id != (wire.ID{}) {
		return id
	}
	return g.Store().Run()
}

func (s *script) session(g *target) wire.Session {
	return wire.Session{Run: s.run(g), Counter: uint64(s.byte() % 4)}
}

// frame makes the next frame and the subject it goes to.
func (s *script) frame(g *target) (subject string, frame []byte) {
	from, channel := pick(s, fuzzNames[1:]), pick(s, fuzzChannels)
	subjects := &g.opt.Subjects
	switch s.byte() % 8 {
	case 0, 1:
		d := s.data(g, channel)
		return subjects.Data(channel, "bob", from), d.Append(nil)
	case 2:
		o := wire.Open{SenderStore: s.store(g), Session: s.session(g), ReceiverStore: g.Store().ID(), ReceiverRun: g.Store().Run(),
			Channels: []wire.OpenChannel{{Name: channel, Join: uint64(s.byte() % 3)}, {Name: pick(s, fuzzChannels), Join: 1}}}
		return subjects.Open("bob", from), o.Append(nil)
	case 3:
		a := wire.Announcement{Node: from, Store: s.store(g), Run: s.run(g), Batches: wire.Versions{Newest: s.byte() % 4}, Serial: uint64(s.byte()), Ask: s.byte()&1 > 0, Goodbye: s.byte()&7 == 7,
			Channels: []wire.AnnouncedChannel{{Name: channel, Join: uint64(s.byte() % 3), Role: wire.Role(1 + s.byte()%3), Ready: s.byte()&1 > 0}}}
		return subjects.DiscoveryFrom(from), a.Append(nil)
	case 4:
		st := wire.Status{ReceiverStore: s.store(g), ReceiverRun: s.run(g), SenderStore: g.Store().ID(), Session: wire.Session{Run: g.Store().Run(), Counter: uint64(s.byte() % 4)},
			State: wire.State(1 + s.byte()%7), Opened: s.byte()&1 > 0, Channel: channel, Received: uint64(s.byte()), Channels: []wire.StatusChannel{{Name: channel, Join: uint64(s.byte() % 3),
				Committed: []wire.Position{{Run: s.run(g), Seq: uint64(s.byte())}}, Received: wire.Position{Run: s.run(g), Seq: uint64(s.byte())}, State: wire.State(s.byte() % 8)}}}
		return subjects.Status("bob", from), st.Append(nil)
	case 5:
		m := wire.Management{Verb: s.byte() % 4, Store: s.store(g), Run: s.run(g), ID: uint64(s.byte()), Args: []string{pick(s, []string{"1", "2", "3", "eve", "x"})},
			Channels: []wire.OpenChannel{{Name: channel, Join: uint64(s.byte() % 3)}}}
		return subjects.ManagementFrom("bob", from), m.Append(nil)
	case 6: // the frame before, damaged, its checksum mended
		b := append([]byte(nil), s.last...)
		if len(b) > 11 {
			b[int(s.byte())%len(b)] = s.byte()
			mend(b)
		}
		return pick(s, []string{subjects.Data(channel, "bob", from), subjects.Open("bob", from), subjects.Status("bob", from), subjects.DiscoveryFrom(from), subjects.ManagementFrom("bob", from)}), b
	default:
		n := min(int(s.byte()), len(s.b))
		b := s.b[:n]
		s.b = s.b[n:]
		return pick(s, []string{subjects.Data(channel, "bob", from), subjects.Open("bob", from), subjects.KeepaliveFrom(channel, from), "rmds.x", "y"}), b
	}
}

// mend gives a frame the checksum of what it holds.
func mend(b []byte) {
	end := min(11+int(binary.BigEndian.Uint32(b[7:])&0xffff), len(b))
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[7:], uint32(end-11))
	binary.BigEndian.PutUint32(b[2:], crc32.Update(crc32.Checksum(b[:2], table), table, b[6:end]))
}

func (s *script) data(g *target, channel string) *wire.Data {
	run := s.run(g)
	prev := uint64(s.byte() % 16)
	d := &wire.Data{Session: s.session(g), ReceiverRun: g.Store().Run(), Number: 1 + uint64(s.byte()%8), Channel: channel, Join: uint64(s.byte() % 3),
		Prev: wire.Position{Run: run, Seq: prev}, Run: run, Last: prev, EngineNow: int64(len(s.b) % 2)} // what leaves at another time is another copy
	count := 1 + uint64(s.byte()%4)
	switch s.byte() % 4 {
	case 0:
		d.Last += count
		d.Skips = []wire.Skip{{From: prev + 1, To: d.Last, Count: count, Reason: wire.Reason(1 + s.byte()%5)}}
	case 1:
		d.Last += count
		d.Batches = []wire.Carried{{First: prev + 1, Last: d.Last, Blob: s.batch(run, channel, prev, count)}}
	case 2:
		d.Last += count
		b := s.batch(run, channel, prev, count)
		from := int(s.byte()) % len(b)
		d.Piece = &wire.Piece{First: prev + 1, Offset: uint64(from), Total: uint64(len(b)), Data: b[from : from+1+int(s.byte())%(len(b)-from)]}
	}
	g.mu.Lock()
	g.sent[run] = max(g.sent[run], d.Last)
	g.mu.Unlock()
	return d
}

// batch seals messages that may be other than the head says, and may be damaged.
func (s *script) batch(run wire.ID, channel string, prev, count uint64) []byte {
	var w wire.SegmentWriter
	w.Reset(nil)
	for range count - uint64(s.byte()&7)/7 {
		_ = w.Append(&wire.Message{Engine: 1, TTL: int64(s.byte() & 1), Data: make([]byte, s.byte()%5)}) // within every limit
	}
	b := wire.SealBatch(nil, wire.BatchHead{Run: run, Channel: channel, First: prev + 1, Last: prev + count, Prev: prev}, [][]byte{w.Bytes()}, s.byte()&1 > 0)
	if flip := s.byte(); flip > 200 {
		b[int(s.byte())%len(b)] ^= flip
	}
	return b
}

// ordinary is alice, who announces herself, opens, and sends two messages.
var ordinary = []byte{
	0, 0, 3, 1, 1, 1, 1, 0, 0, 1, 2, 1, // announcement
	0, 0, 2, 1, 1, 1, 1, 0, // open
	0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, // data
}

// play runs a script against a new node, and returns it at rest. It belongs into a bubble.
func play(t *testing.T, b []byte) *target {
	g := newTarget(t)
	time.Sleep(time.Second) // until its claim to its name stands: before, it takes nothing
	synctest.Wait()
	for s := (&script{b: b}); len(s.b) > 0; {
		subject, frame := s.frame(g)
		s.last = frame
		(*receiver)(g.Node).Receive(subject, append([]byte(nil), frame...))
		synctest.Wait()
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
	return g
}

// TestOrdinaryScript: the scripts that are fuzzed reach the consumer, or they would prove nothing.
func TestOrdinaryScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := play(t, ordinary)
		g.check(t)
		if in := g.in.Positions(); len(in) != 1 || in[0].Seq != 2 || in[0].Totals.Handled != 2 {
			t.Errorf("positions %+v", in)
		}
	})
}

// FuzzReceive: whatever comes in, in whatever order, the node lives, and acknowledges nothing that it was not given.
func FuzzReceive(f *testing.F) {
	f.Add(ordinary)
	f.Add(append(ordinary[:len(ordinary):len(ordinary)], 1, 1, 3, 2, 3, 1, 1, 0, 0, 1, 0, 1, 0, 0, 6, 20, 1, 0))
	f.Add([]byte{0, 0, 5, 2, 2, 0, 3, 1, 0, 0, 7, 3, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= 2000 {
			synctest.Test(t, func(t *testing.T) { play(t, b).check(t) })
		}
	})
}
