package engine_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// spoiler is a network on which alice's copy of one message is damaged in a way that she does not notice, and nodes that can start again.
type spoiler struct {
	wires
	fleet

	mu     sync.Mutex
	mark   []byte             // what the message holds
	flip   func(copy int) int // which byte behind the mark is changed in a copy of it, the first of which is 1
	copies int                // that left
}

func newSpoiler(t *testing.T, mark string, flip func(copy int) int) *spoiler {
	s := &spoiler{fleet: *newFleet(t), mark: []byte(mark), flip: flip}
	s.network.SetFaults(memconn.Faults{MinDelay: time.Millisecond, MaxDelay: time.Millisecond})
	s.wires = wires{Network: s.fleet.network, sent: s.spoil}
	return s
}

// spoil damages what a data frame carries, and what it says of a piece to match: for the receiver, that is what the sender has.
func (s *spoiler) spoil(node, _ string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := bytes.Index(data, s.mark)
	if node != "alice" || at < 0 {
		return
	}
	s.copies++
	data[at+len(s.mark)+s.flip(s.copies)] ^= 1
	if d := parseFields(data); d.Piece != nil {
		copy(data, d.Append(nil))
	}
}

// parseFields reads a data frame whose piece may be other than its checksum says.
func parseFields(data []byte) *wire.Data {
	end := 11 + int(binary.BigEndian.Uint32(data[7:]))
	fields := bytes.Clone(data)
	if end >= len(data) {
		return &wire.Data{}
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(fields[end-4:], crc32.Checksum(data[end:], table)) // what a piece's fields end with
	binary.BigEndian.PutUint32(fields[2:], crc32.Update(crc32.Checksum(fields[:2], table), table, fields[6:end]))
	d, err := wire.ParseData(fields)
	if err != nil || d.Piece == nil {
		return &wire.Data{}
	}
	return d
}

func (s *spoiler) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies
}

func (s *spoiler) connect(t *testing.T, id string) *rmds.Connection {
	t.Helper()
	if s.disks[id] == nil {
		s.disks[id] = crashvfs.New(uint64(len(s.disks)))
	}
	c := rmds.DefaultConfig()
	c.EnableCompression, c.MessageExpiry = false, rmds.NoExpiry
	h := &harness.Harness{VFS: s.disks[id].Name(), Dial: func(node string) transport.Conn { return &wire1{s.Dial(node), &s.wires, node} }}
	connection, err := rmds.New(c, rmds.SetID(id), rmds.SetStoragePath("node.db"), rmds.SetHarness(h))
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

const mark = "this one is damaged:"

// marked are ten messages, of which the fifth is to be damaged.
func marked(size int) (list [][]byte, others []string) {
	for n := range 10 {
		text := fmt.Sprintf("message %d", n+1)
		if n == 4 {
			list = append(list, append([]byte(mark), noise(size)...))
			continue
		}
		list, others = append(list, []byte(text)), append(others, text)
	}
	return list, others
}

// always is the damage of what is stored: the same in every copy.
func always(int) int { return 7 }

// TestCorruptBatchIsGivenUp: a batch that comes damaged alike three times is kept and counts as corrupt; the others arrive, in order.
func TestCorruptBatchIsGivenUp(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "in pieces": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSpoiler(t, mark, always)
				messages, others := marked(size)
				alice, bob := s.connect(t, "alice"), s.connect(t, "bob")
				defer stop(t, alice)
				seen := acked(t, bob.Join("chat", rmds.ReadOnly))
				chat := alice.Join("chat", rmds.WriteOnly)
				time.Sleep(time.Minute)
				for _, m := range messages {
					if err := chat.SendMessage(m); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				if got := seen(); !slices.Equal(got, others) {
					t.Errorf("handled %q", got)
				}
				if n := s.left(); n != 3 {
					t.Errorf("%d copies were sent, want 3", n)
				}
				endsAsCorrupt(t, alice, bob, messages[4])
				stop(t, bob)
				bob = s.connect(t, "bob") // what it knows is durable
				defer stop(t, bob)
				seen = acked(t, bob.Join("chat", rmds.ReadOnly))
				if err := chat.SendMessage("after"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if got := seen(); !slices.Equal(got, []string{"after"}) || s.left() != 3 {
					t.Errorf("after a restart: handled %q, %d copies", got, s.left())
				}
			})
		})
	}
}

// endsAsCorrupt holds the accounts of both sides against ten messages of which the fifth was damaged, and what is kept of that against the message.
func endsAsCorrupt(t *testing.T, alice, bob *rmds.Connection, message []byte) {
	t.Helper()
	if a := alice.Accounts()[0]; !a.Balanced() || a.Accepted != 10 || a.Corrupt != 1 || a.Handled != 9 || a.Pending != 0 {
		t.Errorf("alice: %+v", a)
	}
	if in := bob.Inbound(); len(in) != 1 || in[0].Handled != 9 || in[0].Corrupt != 1 || in[0].Position != 10 {
		t.Errorf("bob: %+v", in)
	}
	kept, err := bob.DamagedBatches()
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	if k := kept[0]; k.Channel != "chat" || k.Sender != "alice" || k.SenderStore != alice.StoreID() || k.First != 5 || k.Last != 5 || k.Cause == "" {
		t.Errorf("kept: %+v", k)
	}
	blob, err := bob.DamagedBytes(kept[0].ID)
	if at := len(mark) + 7; err != nil || len(blob) != kept[0].Size || !bytes.Contains(blob, message[at+1:]) || bytes.Contains(blob, message) {
		t.Errorf("%d bytes are kept: %v", len(blob), err)
	}
}

// TestCorruptBatchMeetsARestart: copies count for the process that got them; nothing is given up too early, or lost.
func TestCorruptBatchMeetsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpoiler(t, mark, always)
		messages, others := marked(100)
		alice, bob := s.connect(t, "alice"), s.connect(t, "bob")
		defer stop(t, alice)
		first := acked(t, bob.Join("chat", rmds.ReadOnly))
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		for _, m := range messages {
			if err := chat.SendMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		for s.left() < 2 {
			time.Sleep(time.Millisecond)
		}
		stop(t, bob)
		before := s.left()
		bob = s.connect(t, "bob")
		defer stop(t, bob)
		second := acked(t, bob.Join("chat", rmds.ReadOnly))
		time.Sleep(time.Minute)
		if got := slices.Concat(first(), second()); !slices.Equal(got, others) {
			t.Errorf("handled %q", got)
		}
		if n := s.left() - before; n != 3 {
			t.Errorf("%d copies were sent after the restart, want 3", n)
		}
		endsAsCorrupt(t, alice, bob, messages[4])
	})
}

// TestBadLinkGivesNothingUp: what a link does to a batch is different each time, so that it is asked for until it comes whole, even if it comes
// damaged many times, and now and then alike.
func TestBadLinkGivesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpoiler(t, mark, func(copy int) int { return copy / 2 % 80 })
		messages, _ := marked(100)
		alice, bob := s.connect(t, "alice"), s.connect(t, "bob")
		defer stop(t, alice)
		defer stop(t, bob)
		seen := acked(t, bob.Join("chat", rmds.ReadOnly))
		chat := alice.Join("chat", rmds.WriteOnly)
		time.Sleep(time.Minute)
		for n, m := range messages {
			if n == 4 {
				time.Sleep(time.Second) // else one frame carries all
			}
			if err := chat.SendMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if n := s.left(); n < 20 {
			t.Errorf("the batch was sent %d times in a minute", n)
		}
		if got := seen(); len(got) != 4 {
			t.Errorf("handled %q", got)
		}
		s.mu.Lock()
		s.mark = []byte("the link is mended")
		s.mu.Unlock()
		time.Sleep(time.Minute)
		if a := alice.Accounts()[0]; !a.Balanced() || a.Handled != 10 || a.Corrupt != 0 {
			t.Errorf("%+v", a)
		}
		if kept, err := bob.DamagedBatches(); len(kept) > 0 || err != nil {
			t.Errorf("given up: %+v, %v", kept, err)
		}
		if got := bob.Mgmt.Statistic()["rejected_damaged"]; got < 20 {
			t.Errorf("%d damaged frames are counted", got)
		}
	})
}

// TestManyFlippedBits: a link that flips bits in every fifth frame loses nothing and gives nothing up.
func TestManyFlippedBits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpoiler(t, mark, always)
		s.Network.SetFaults(memconn.Faults{Corrupt: 0.2, Duplicate: 0.2, MinDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond})
		alice, bob := s.connect(t, "alice"), s.connect(t, "bob")
		defer stop(t, alice)
		defer stop(t, bob)
		var want []string
		seen := acked(t, bob.Join("chat", rmds.ReadOnly))
		chat := alice.Join("chat", rmds.WriteOnly)
		for n := range 60 {
			m := append(noise(3000), fmt.Sprint(n)...)
			if n == 30 {
				m = append(noise(2<<20), fmt.Sprint(n)...)
			}
			if err := chat.SendMessage(m); err != nil {
				t.Fatal(err)
			}
			want = append(want, string(m))
		}
		time.Sleep(10 * time.Minute)
		s.Network.SetFaults(memconn.Faults{})
		time.Sleep(time.Minute)
		if got := seen(); !slices.Equal(got, want) {
			t.Errorf("%d of %d messages arrived as they were sent", len(got), len(want))
		}
		if a := alice.Accounts()[0]; !a.Balanced() || a.Handled != 60 || a.Corrupt != 0 {
			t.Errorf("%+v", a)
		}
	})
}
