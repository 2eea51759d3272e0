package engine_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nats-io/nats.go"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// TestHostileBytesOnEverySubject: whatever a stranger publishes, nothing is acknowledged, lost or reordered because of it.
func TestHostileBytesOnEverySubject(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	alice := open(t, testConfig(t, dir, "alice", port))
	bob := open(t, testConfig(t, dir, "bob", port))
	chat := alice.Join("chat", rmds.WriteOnly)
	c := &collector{}
	if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	sendAll(t, chat, numbered(1, 10))
	expect(t, "bob", c, numbered(1, 10))
	eve, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer eve.Close()
	draw := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		subject := []string{"rmds.data.chat.bob.eve", "rmds.data.chat.bob.alice", "rmds.open.bob.eve", "rmds.open.bob.alice", "rmds.status.alice.bob", "rmds.status.alice.eve",
			"rmds.discovery.eve", "rmds.keepalive.chat.eve", "rmds.management.bob.eve", "rmds.discovery.bob", "rmds.data.chat.bob"}[draw.IntN(11)]
		junk := make([]byte, draw.IntN(300))
		for i := range junk {
			junk[i] = byte(draw.Uint32())
		}
		if err := eve.Publish(subject, junk); err != nil {
			t.Fatal(err)
		}
	}
	if err := eve.Flush(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, chat, numbered(11, 20))
	expect(t, "bob", c, numbered(1, 20))
	balanced(t, alice, 20)
	eventually(t, "the frames are counted", func() bool { return bob.Mgmt.Statistic()["rejected_frames"] > 0 })
}

// TestAStrangerCannotTakeOverALane: a node that claims another's store gets neither its sessions nor its messages.
func TestAStrangerCannotTakeOverALane(t *testing.T) {
	port := freePort(t)
	startNATS(t, port)
	dir := t.TempDir()
	alice := open(t, testConfig(t, dir, "alice", port))
	bob := open(t, testConfig(t, dir, "bob", port))
	chat := alice.Join("chat", rmds.WriteOnly)
	c := &collector{}
	if err := bob.Join("chat", rmds.ReadOnly).OnMessage(c.handle); err != nil {
		t.Fatal(err)
	}
	sendAll(t, chat, numbered(1, 3))
	expect(t, "bob", c, numbered(1, 3))
	store, run := identity(t, alice)
	bobStore, bobRun := identity(t, bob)
	eve, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer eve.Close()
	session := wire.Session{Run: run, Counter: 1 << 40}
	o := wire.Open{SenderStore: store, Session: session, ReceiverStore: bobStore, ReceiverRun: bobRun, Channels: []wire.OpenChannel{{Name: "chat", Join: 1}}}
	d := wire.Data{Session: session, ReceiverRun: bobRun, Number: 1, Channel: "chat", Join: 1, Prev: wire.Position{Run: run, Seq: 3}, Run: run, Last: 6,
		Skips: []wire.Skip{{From: 4, To: 6, Count: 3, Reason: wire.Purged}}}
	a := wire.Announcement{Node: "eve", Store: bobStore, Run: bobRun, Serial: 1, Channels: []wire.AnnouncedChannel{{Name: "chat", Join: 1, Role: wire.Reader, Ready: true}}}
	for subject, frame := range map[string][]byte{"rmds.open.bob.eve": o.Append(nil), "rmds.discovery.eve": a.Append(nil)} {
		if err := eve.Publish(subject, frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := eve.Publish("rmds.data.chat.bob.eve", d.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if err := eve.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the open is refused", func() bool { return bob.Mgmt.Statistic()["rejected_frames"] > 0 })
	sendAll(t, chat, numbered(4, 8))
	expect(t, "bob", c, numbered(1, 8))
	balanced(t, alice, 8)
}

func identity(t *testing.T, c *rmds.Connection) (store, run wire.ID) {
	t.Helper()
	status := c.Status()
	for text, id := range map[string]*wire.ID{status.Store: &store, status.Run: &run} {
		if n, err := hex.Decode(id[:], []byte(text)); err != nil || n != len(id) {
			t.Fatal(text, err)
		}
	}
	return store, run
}
