package engine_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/harness"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
	"github.com/getevo/rmds-router/engine/internal/wire"

	"github.com/rs/zerolog"
)

// lines counts the lines of a log.
type lines struct {
	mu    sync.Mutex
	count int
	kinds map[string]int
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds == nil {
		l.kinds = map[string]int{}
	}
	l.count++
	if i := bytes.LastIndex(b, []byte(`"message":`)); i >= 0 {
		l.kinds[string(b[i:])]++
	}
	return len(b), nil
}

func (l *lines) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// nobody is what receives nothing.
type nobody struct{}

func (nobody) Receive(string, []byte) {}
func (nobody) Event(transport.Event)  {}

// crowd is a writer and a reader in order, in real time, and a connection of somebody who makes up nodes.
type crowd struct {
	alice, bob *rmds.Connection
	out        *rmds.Channel
	log        lines // alice's
	handled    atomic.Int64
	eve        transport.Conn
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	p, network := &crowd{}, memconn.NewNetwork(1)
	connect := func(id string, opts ...rmds.Option) *rmds.Connection {
		disk := crashvfs.New(uint64(len(id)))
		opts = append(opts, rmds.SetID(id), rmds.SetStoragePath("node.db"), rmds.SetHarness(&harness.Harness{Dial: network.Dial, VFS: disk.Name()}))
		c, err := rmds.New(nil, opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Unsubscribe(); err != nil {
				t.Errorf("close %s: %v", id, err)
			}
			disk.Close()
		})
		return c
	}
	p.alice, p.bob = connect("alice", rmds.SetLogger(zerolog.New(&p.log))), connect("bob")
	p.out = p.alice.Join("chat", rmds.RW)
	if err := p.bob.Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { p.handled.Add(1); _ = m.Ack() }); err != nil {
		t.Fatal(err)
	}
	p.eve = network.Dial("eve")
	if err := p.eve.Start(nobody{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.eve.Close)
	eventually(t, "eve is connected", p.eve.Connected)
	p.send(t)
	return p
}

// send sends a message and waits for bob to handle it and alice to know. It tells how long that took.
func (p *crowd) send(t *testing.T) time.Duration {
	t.Helper()
	begin, want := time.Now(), p.handled.Load()+1
	if err := p.out.SendMessage("for bob"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob has handled the next message", func() bool { return p.handled.Load() >= want })
	return time.Since(begin)
}

func (p *crowd) stat(name string) int64 { return p.alice.Mgmt.Statistic()[name] }

// heap is what is in use, in MiB.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc+m.StackInuse) >> 20
}

// madeUp is the announcement of a node that is not there.
func madeUp(i, channels int) *wire.Announcement {
	a := &wire.Announcement{Node: fmt.Sprintf("stranger-%d", i), Run: wire.ID{1}, Batches: wire.KnownVersions(), Serial: 1, Version: string(make([]byte, 900)), Ask: true}
	binary.BigEndian.PutUint32(a.Store[:], uint32(i)+1)
	a.Channels = append(a.Channels, wire.AnnouncedChannel{Name: "chat", Join: 1, Role: wire.Both, Ready: true})
	for c := 1; c < channels; c++ {
		a.Channels = append(a.Channels, wire.AnnouncedChannel{Name: fmt.Sprintf("made-up-%d-%d", i, c), Join: 1, Role: wire.Both})
	}
	return a
}

// TestAFloodOfAnnouncements: a hundred thousand nodes that are not there, all of which read what alice writes, and some of which have joined as many channels as
// there can be. What is remembered of them, in memory and on record, is bounded, and so is what is logged; what is refused is counted; and bob goes on to be served all the time.
func TestAFloodOfAnnouncements(t *testing.T) {
	names := 100_000
	if raceEnabled {
		names = 8_000
	}
	p := newCrowd(t)
	before, lines, begin := heap(), p.log.total(), time.Now()
	var worst time.Duration
	publish := func(subject string, a *wire.Announcement) {
		if err := p.eve.Publish(subject, a.Append(nil)); err != nil {
			t.Error(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range names {
			a := madeUp(i, 4)
			publish("rmds.discovery."+a.Node, a)
			if i%250 == 0 {
				crammed := madeUp(names+i, wire.MaxChannels)
				publish("rmds.discovery."+crammed.Node, crammed)
			}
			if i%10 == 0 {
				partial := madeUp(2*names+i, 1)
				publish("rmds.keepalive.chat."+partial.Node, partial)
			}
		}
	}()
	for flooding := true; flooding; {
		select {
		case <-done:
			flooding = false
		default:
		}
		worst = max(worst, p.send(t))
	}
	took, stats, more := time.Since(begin), p.alice.Mgmt.Statistic(), heap()-before
	t.Logf("%d announcements in %v: bob waited %v at most; %d MiB more are in use, %d lines were logged; %v", names, took, worst, more, p.log.total()-lines, stats)
	if n := stats["received_keepalives"]; n < int64(names) {
		t.Errorf("%d announcements are counted, want at least %d", n, names)
	}
	if more > 256 {
		t.Errorf("%d MiB more are in use", more)
	}
	if n := p.log.total() - lines; n > 2000+200*int(took.Seconds()) {
		t.Errorf("%d lines were logged", n)
	}
	if n, most := len(p.alice.Accounts()), 2048+256*int(took.Seconds()+1); n > most || n > 1000 && stats["refused_readers"] == 0 && stats["unheard"] == 0 {
		t.Errorf("%d readers are on record, want %d at most: %v", n, most, stats)
	}
	joins := 0
	for _, n := range p.alice.Mgmt.Nodes() {
		joins += len(n.Channels)
	}
	if joins > 1<<18+1<<16 {
		t.Errorf("%d joins are remembered", joins)
	}
	if a := p.alice.Accounts(); !slices.ContainsFunc(a, func(a rmds.Account) bool { return a.Reader == "bob" && a.Pending == 0 && a.Balanced() }) {
		t.Error("bob's account is not settled")
	}
}

// badFrames are one of each kind that can be told from its bytes and its sender alone, with where it is counted.
func badFrames(t *testing.T, p *crowd) map[string][]byte {
	store, run := identity(t, p.alice)
	stranger := wire.ID{9}
	open := wire.Open{SenderStore: stranger, Session: wire.Session{Run: stranger, Counter: 1}, ReceiverStore: stranger, ReceiverRun: run, Channels: []wire.OpenChannel{{Name: "chat", Join: 1}}}
	data := wire.Data{Session: open.Session, ReceiverRun: run, Number: 1, Channel: "chat", Join: 1, Run: stranger, Last: 1}
	status := wire.Status{ReceiverStore: stranger, ReceiverRun: stranger, SenderStore: store, State: wire.OK}
	order := wire.Management{Verb: 2, Args: []string{"3"}}
	another := wire.Announcement{Node: "bob", Store: stranger, Run: stranger}
	damaged := status.Append(nil)
	damaged[len(damaged)-1] ^= 1
	return map[string][]byte{
		"bad_subject rmds.discovery.\u00e4%d":   nil,
		"truncated rmds.data.chat.alice.eve-%d": nil,
		"damaged rmds.status.alice.eve-%d":      damaged,
		"newer rmds.data.chat.alice.eve-%d":     later(data.Append(nil)),
		"stranger rmds.data.chat.alice.eve-%d":  data.Append(nil),
		"stranger rmds.status.alice.eve-%d":     status.Append(nil),
		"stranger rmds.management.alice.eve-%d": order.Append(nil),
		"impostor rmds.discovery.eve-%d":        another.Append(nil),
		"misdirected rmds.open.alice.eve-%d":    open.Append(nil),
		"illegal rmds.keepalive.chat.eve-%d":    status.Append(nil),
	}
}

// TestAMillionBadFrames: each is counted, as what it is, though each comes from another name; and the log gets some lines of them, not one for each.
func TestAMillionBadFrames(t *testing.T) {
	each := 100_000
	if raceEnabled {
		each = 5_000
	}
	p := newCrowd(t)
	before, lines, begin := p.alice.Mgmt.Statistic(), p.log.total(), time.Now()
	kinds := badFrames(t, p)
	for i := range each {
		for kind, frame := range kinds {
			_, subject, _ := strings.Cut(kind, " ")
			if err := p.eve.Publish(fmt.Sprintf(subject, i), frame); err != nil {
				t.Fatal(err)
			}
		}
		if n := i + 1; n%1000 == 0 || n == each { // more would find the connection's queue full
			eventually(t, "all frames are counted", func() bool {
				return p.stat("rejected_frames")-before["rejected_frames"] == int64(n*len(kinds))
			})
		}
	}
	want := map[string]int64{}
	for kind := range kinds {
		name, _, _ := strings.Cut(kind, " ")
		want[name] += int64(each)
	}
	after := p.alice.Mgmt.Statistic()
	after["rejected_misdirected"] += after["rejected_huge"] // opens that found the queue full
	for name, n := range want {
		if got := after["rejected_"+name] - before["rejected_"+name]; got != n {
			t.Errorf("rejected_%s counts %d, want %d", name, got, n)
		}
	}
	took := time.Since(begin)
	t.Logf("%d frames in %v, %d lines", each*len(kinds), took, p.log.total()-lines)
	if n, most := p.log.total()-lines, 30*(2+int(took/(10*time.Second))); n > most {
		t.Errorf("%d lines were logged, want at most %d", n, most)
	}
	if p.log.total() == lines {
		t.Error("nothing was logged")
	}
	p.send(t)
}
