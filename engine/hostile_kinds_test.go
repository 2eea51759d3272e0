package engine_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// stage is a writer and a reader in order, and eve, who publishes what she likes.
type stage struct {
	alice, bob *rmds.Connection
	chat       *rmds.Channel
	seen       *collector
	sent       int
	eve        *nats.Conn

	aliceStore, aliceRun, bobStore, bobRun wire.ID

	mu     sync.Mutex
	heard  []wire.Status // what eve was told
	frames [][]byte      // data frames from alice to bob
}

var (
	eveStore, eveRun = wire.ID{0xE0}, wire.ID{0xE1}
	serial           atomic.Uint64
)

func newStage(t *testing.T) *stage {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	s := &stage{seen: &collector{}}
	var err error
	if s.eve, err = nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.eve.Close)
	s.listen(t, "rmds.status.eve.*", func(m *nats.Msg) {
		if st, err := wire.ParseStatus(m.Data); err == nil {
			s.heard = append(s.heard, *st)
		}
	})
	s.listen(t, "rmds.data.chat.bob.alice", func(m *nats.Msg) { s.frames = append(s.frames, m.Data) })
	bob := testConfig(t, dir, "bob", port)
	bob.MaxMessageSize = 1 << 20
	s.alice, s.bob = open(t, testConfig(t, dir, "alice", port)), open(t, bob)
	if err := s.bob.Join("side", rmds.ReadOnly).OnMessage(s.seen.handle); err != nil {
		t.Fatal(err)
	}
	s.chat = s.alice.Join("chat", rmds.WriteOnly)
	if err := s.bob.Join("chat", rmds.ReadOnly).OnMessage(s.seen.handle); err != nil {
		t.Fatal(err)
	}
	s.aliceStore, s.aliceRun = identity(t, s.alice)
	s.bobStore, s.bobRun = identity(t, s.bob)
	s.deliver(t)
	return s
}

func (s *stage) listen(t *testing.T, subject string, f func(*nats.Msg)) {
	t.Helper()
	if _, err := s.eve.Subscribe(subject, func(m *nats.Msg) { s.mu.Lock(); f(m); s.mu.Unlock() }); err != nil {
		t.Fatal(err)
	}
	if err := s.eve.Flush(); err != nil {
		t.Fatal(err)
	}
}

// deliver sends some messages and sees that they arrive, once and in order, and that nothing else did.
func (s *stage) deliver(t *testing.T) {
	t.Helper()
	sendAll(t, s.chat, numbered(s.sent+1, s.sent+5))
	s.sent += 5
	expect(t, "bob", s.seen, numbered(1, s.sent))
	balanced(t, s.alice, uint64(s.sent))
	in := s.bob.Inbound()
	if len(in) != 1 || in[0].Sender != "alice" || in[0].Handled != uint64(s.sent) || in[0].Position != uint64(s.sent) {
		t.Errorf("bob's positions are %+v, want only alice's at %d", in, s.sent)
	}
}

func (s *stage) publish(t *testing.T, subject string, frame []byte) {
	t.Helper()
	if err := s.eve.Publish("rmds."+subject, frame); err != nil {
		t.Fatal(err)
	}
	if err := s.eve.Flush(); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) open(from wire.ID, run wire.ID) wire.Open {
	return wire.Open{SenderStore: from, Session: wire.Session{Run: run, Counter: 1 << 40}, ReceiverStore: s.bobStore, ReceiverRun: s.bobRun,
		Channels: []wire.OpenChannel{{Name: "chat", Join: 1}}}
}

func (s *stage) data(run wire.ID) wire.Data {
	return wire.Data{Session: wire.Session{Run: run, Counter: 1 << 40}, ReceiverRun: s.bobRun, Number: 1, Channel: "chat", Join: 1, Prev: wire.Position{Run: run}, Run: run, Last: 1 << 20,
		Skips: []wire.Skip{{From: 1, To: 1 << 20, Count: 1 << 20, Reason: wire.Purged}}}
}

// introduce makes eve a node that others know.
func (s *stage) introduce(t *testing.T, role wire.Role) {
	t.Helper()
	a := wire.Announcement{Node: "eve", Store: eveStore, Run: eveRun, Batches: wire.KnownVersions(), Serial: serial.Add(1), Channels: []wire.AnnouncedChannel{{Name: "side", Join: 1, Role: role}}}
	s.publish(t, "discovery.eve", a.Append(nil))
	eventually(t, "eve is known", func() bool {
		for _, n := range s.bob.Mgmt.Nodes() {
			if n.ID == "eve" && len(n.Channels) == 1 && n.Channels[0].Mode == map[wire.Role]rmds.Mode{wire.Reader: rmds.ReadOnly, wire.Writer: rmds.WriteOnly}[role] {
				return true
			}
		}
		return false
	})
}

// later gives a frame another version, and the checksum that goes with it.
func later(frame []byte) []byte {
	frame[0] = 99
	end := 11 + int(binary.BigEndian.Uint32(frame[7:]))
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(frame[2:], crc32.Update(crc32.Checksum(frame[:2], table), table, frame[6:end]))
	return frame
}

func (s *stage) captured(t *testing.T) []byte {
	t.Helper()
	var frame []byte
	eventually(t, "eve has heard a frame", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.frames) > 0 {
			frame = s.frames[0]
		}
		return frame != nil
	})
	return append([]byte(nil), frame...)
}

var hostile = []struct {
	name, counter string
	do            func(*testing.T, *stage)
}{
	{"a subject with an illegal name", "rejected_bad_subject", func(t *testing.T, s *stage) { s.publish(t, "discovery.ä", nil) }},
	{"nothing", "rejected_truncated", func(t *testing.T, s *stage) { s.publish(t, "data.chat.bob.alice", nil) }},
	{"a frame cut short", "rejected_truncated", func(t *testing.T, s *stage) {
		o := s.open(eveStore, eveRun)
		b := o.Append(nil)
		s.publish(t, "open.bob.eve", b[:len(b)-1])
	}},
	{"a megabyte of nothing", "rejected_damaged", func(t *testing.T, s *stage) { s.publish(t, "data.chat.bob.eve", make([]byte, 1<<20)) }},
	{"a wrong checksum", "rejected_damaged", func(t *testing.T, s *stage) {
		b := s.captured(t)
		b[12] ^= 4
		s.publish(t, "data.chat.bob.alice", b)
	}},
	{"a version to come", "rejected_newer", func(t *testing.T, s *stage) { s.publish(t, "data.chat.bob.alice", later(s.captured(t))) }},
	{"a frame of another kind", "rejected_illegal", func(t *testing.T, s *stage) { s.publish(t, "open.bob.alice", s.captured(t)) }},
	{"an order that is none", "rejected_illegal", func(t *testing.T, s *stage) {
		m := wire.Management{Verb: 99, Store: s.aliceStore, Run: s.aliceRun, ID: 1 << 40}
		s.publish(t, "management.bob.alice", m.Append(nil))
	}},
	{"an answer to the process before", "stale_frames", func(t *testing.T, s *stage) {
		m := wire.Management{Response: true, Verb: 2, Store: s.bobStore, Run: wire.ID{3}, Args: []string{"done"}}
		s.publish(t, "management.bob.alice", m.Append(nil))
	}},
	{"an order with another's database", "rejected_impostor", func(t *testing.T, s *stage) {
		m := wire.Management{Verb: 2, Store: eveStore, Run: eveRun, ID: 1, Args: []string{"3"}}
		s.publish(t, "management.bob.alice", m.Append(nil))
	}},
	{"an open for another node", "rejected_misdirected", func(t *testing.T, s *stage) {
		o := s.open(eveStore, eveRun)
		o.ReceiverStore = s.aliceStore
		s.publish(t, "open.bob.eve", o.Append(nil))
	}},
	{"a status for another node", "rejected_misdirected", func(t *testing.T, s *stage) {
		st := wire.Status{ReceiverStore: eveStore, ReceiverRun: eveRun, SenderStore: s.aliceStore, State: wire.OK}
		s.publish(t, "status.bob.eve", st.Append(nil))
	}},
	{"a status of one that reads nothing", "rejected_stranger", func(t *testing.T, s *stage) {
		st := wire.Status{ReceiverStore: eveStore, ReceiverRun: eveRun, SenderStore: s.bobStore, State: wire.OK}
		s.publish(t, "status.bob.eve", st.Append(nil))
	}},
	{"opens of a stranger", "rejected_stranger", func(t *testing.T, s *stage) {
		o := s.open(eveStore, eveRun)
		s.publish(t, "open.bob.eve", o.Append(nil))
		s.publish(t, "open.bob.eve", o.Append(nil))
	}},
	{"data of a stranger", "rejected_stranger", func(t *testing.T, s *stage) {
		d := s.data(eveRun)
		s.publish(t, "data.chat.bob.eve", d.Append(nil))
	}},
	{"orders of a stranger", "rejected_stranger", func(t *testing.T, s *stage) {
		m := wire.Management{Verb: 2, Args: []string{"3"}}
		s.publish(t, "management.bob.eve", m.Append(nil))
	}},
	{"an announcement in another's name", "rejected_impostor", func(t *testing.T, s *stage) {
		a := wire.Announcement{Node: "alice", Store: s.aliceStore, Run: s.aliceRun, Serial: 1 << 40, Goodbye: true}
		s.publish(t, "discovery.eve", a.Append(nil))
	}},
	{"a frame from the node itself", "rejected_impostor", func(t *testing.T, s *stage) {
		o := s.open(s.bobStore, s.bobRun)
		s.publish(t, "open.bob.bob", o.Append(nil))
	}},
	{"another's database", "rejected_impostor", func(t *testing.T, s *stage) {
		o := s.open(s.aliceStore, s.aliceRun)
		s.publish(t, "open.bob.eve", o.Append(nil))
	}},
	{"data of another channel than its subject's", "rejected_impostor", func(t *testing.T, s *stage) {
		d := s.data(s.aliceRun)
		d.Channel = "other"
		s.publish(t, "data.chat.bob.alice", d.Append(nil))
	}},
	{"a frame for the process before", "stale_frames", func(t *testing.T, s *stage) {
		d := s.data(s.aliceRun)
		d.ReceiverRun = wire.ID{7}
		s.publish(t, "data.chat.bob.alice", d.Append(nil))
	}},
	{"data of an unknown session", "stale_frames", func(t *testing.T, s *stage) {
		d := s.data(s.aliceRun)
		s.publish(t, "data.chat.bob.alice", d.Append(nil))
	}},
	{"an open of the sender's process before", "rejected_stranger", func(t *testing.T, s *stage) {
		o := s.open(s.aliceStore, wire.ID{9})
		s.publish(t, "open.bob.alice", o.Append(nil))
		s.publish(t, "open.bob.alice", o.Append(nil))
	}},
	{"a frame replayed", "repeated_frames", func(t *testing.T, s *stage) { s.publish(t, "data.chat.bob.alice", s.captured(t)) }},
	{"a reader that sends", "rejected_wrong_role", func(t *testing.T, s *stage) {
		s.introduce(t, wire.Reader)
		o := s.open(eveStore, eveRun)
		o.Channels[0].Name = "side"
		s.publish(t, "open.bob.eve", o.Append(nil))
		d := s.data(eveRun)
		d.Channel = "side"
		s.publish(t, "data.side.bob.eve", d.Append(nil))
	}},
	{"a writer that becomes a reader", "rejected_wrong_role", func(t *testing.T, s *stage) {
		s.introduce(t, wire.Writer)
		o := s.open(eveStore, eveRun)
		o.Channels[0].Name, o.Session.Counter = "side", 1<<50
		s.publish(t, "open.bob.eve", o.Append(nil))
		eventually(t, "eve's lane is open", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return slices.ContainsFunc(s.heard, func(st wire.Status) bool {
				return st.Session == o.Session && st.Opened && st.Channels[0].State == wire.OK
			})
		})
		s.introduce(t, wire.Reader)
		d := s.data(eveRun)
		d.Channel, d.Session = "side", o.Session
		s.publish(t, "data.side.bob.eve", d.Append(nil))
		eventually(t, "eve is told why, and that the frame's number counts", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return slices.ContainsFunc(s.heard, func(st wire.Status) bool {
				return st.Session == o.Session && st.State == wire.Refused && st.Channel == "side" && st.Reason != "" && st.Received == 1
			})
		})
	}},
	{"an acknowledgement with another's store", "alice rejected_impostor", func(t *testing.T, s *stage) {
		st := wire.Status{ReceiverStore: s.bobStore, ReceiverRun: s.bobRun, SenderStore: s.aliceStore, State: wire.OK,
			Channels: []wire.StatusChannel{{Name: "chat", Join: 1, State: wire.OK, Committed: []wire.Position{{Run: s.aliceRun, Seq: 1 << 30}}}}}
		s.publish(t, "status.alice.eve", st.Append(nil))
	}},
	{"an acknowledgement of a process that is gone", "alice stale_frames", func(t *testing.T, s *stage) {
		st := wire.Status{ReceiverStore: s.bobStore, ReceiverRun: wire.ID{5}, SenderStore: s.aliceStore, State: wire.OK,
			Channels: []wire.StatusChannel{{Name: "chat", Join: 1, State: wire.OK, Committed: []wire.Position{{Run: s.aliceRun, Seq: 1 << 30}}}}}
		s.publish(t, "status.alice.bob", st.Append(nil))
	}},
}

// TestEveryKindOfHostileFrame: each is counted as what it is and answered with no acknowledgement; positions stay and delivery goes on.
func TestEveryKindOfHostileFrame(t *testing.T) {
	s := newStage(t)
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			counter, of := strings.CutPrefix(h.counter, "alice ")
			count := func() int64 {
				return map[bool]*rmds.Connection{true: s.alice, false: s.bob}[of].Mgmt.Statistic()[counter]
			}
			before := count()
			h.do(t, s)
			eventually(t, "it is counted as "+h.counter, func() bool { return count() > before })
			s.deliver(t)
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, st := range s.heard {
				for _, c := range st.Channels {
					if len(c.Committed) > 0 || c.Received.Seq > 0 || c.Totals != (wire.Totals{}) {
						t.Errorf("eve was told %+v", st)
					}
				}
			}
		})
	}
}
