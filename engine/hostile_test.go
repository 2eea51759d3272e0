package engine_test

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// TestHostileBytesOnEverySubject: whatever a stranger publishes, nothing is acknowledged, lost or reordered because of it.
func TestHostileBytesOnEverySubject(t *testing.T) {
	s := newStage(t)
	draw := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		subject := []string{"rmds.data.chat.bob.eve", "rmds.data.chat.bob.alice", "rmds.open.bob.eve", "rmds.open.bob.alice", "rmds.status.alice.bob", "rmds.status.alice.eve",
			"rmds.discovery.eve", "rmds.keepalive.chat.eve", "rmds.management.bob.eve", "rmds.discovery.bob", "rmds.data.chat.bob"}[draw.IntN(11)]
		junk := make([]byte, draw.IntN(300))
		for i := range junk {
			junk[i] = byte(draw.Uint32())
		}
		if err := s.eve.Publish(subject, junk); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.eve.Flush(); err != nil {
		t.Fatal(err)
	}
	s.deliver(t)
	eventually(t, "the frames are counted", func() bool { return s.bob.Mgmt.Statistic()["rejected_frames"] > 0 })
}

// TestAStrangerCannotTakeOverALane: a node that claims another's store gets neither its sessions nor its messages.
func TestAStrangerCannotTakeOverALane(t *testing.T) {
	s := newStage(t)
	o := s.open(s.aliceStore, s.aliceRun)
	d, sent := s.data(s.aliceRun), uint64(s.sent)
	d.Prev.Seq, d.Last, d.Skips[0] = sent, sent+3, wire.Skip{From: sent + 1, To: sent + 3, Count: 3, Reason: wire.Purged} // just what alice's next frame could say
	a := wire.Announcement{Node: "eve", Store: s.bobStore, Run: s.bobRun, Serial: 1, Channels: []wire.AnnouncedChannel{{Name: "chat", Join: 1, Role: wire.Reader, Ready: true}}}
	s.publish(t, "open.bob.eve", o.Append(nil))
	s.publish(t, "discovery.eve", a.Append(nil))
	s.publish(t, "data.chat.bob.eve", d.Append(nil))
	eventually(t, "the open is refused", func() bool { return s.bob.Mgmt.Statistic()["rejected_frames"] > 0 })
	s.deliver(t)
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
