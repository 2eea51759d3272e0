package inbox

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// TestALaterJoinNeedsProof: whatever a sender says of a join that this node does not know, it is refused without the proof for just this sender, channel and join.
func TestALaterJoinNeedsProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t)
		defer func() { _ = f.box.Close(context.Background()) }() // nothing can go wrong with this log
		var rejoined []uint64
		f.box.opt.Rejoin = func(_ string, join uint64) { rejoined = append(rejoined, join) }
		f.box.opt.Prove = func(sender store.ID, channel string, join uint64) store.ID {
			return store.ID{1, sender[15], byte(len(channel)), byte(join)}
		}
		proof := f.box.opt.Prove
		for i, c := range []struct {
			join  uint64
			proof store.ID
			state wire.State
		}{
			{2, store.ID{}, wire.Refused},
			{1<<64 - 1, store.ID{1}, wire.Refused},
			{1<<64 - 1, proof(fakeID(1, 's'), "c", 2), wire.Refused}, // of another join
			{2, proof(fakeID(2, 's'), "c", 2), wire.Refused},         // of another sender
			{2, proof(fakeID(1, 's'), "cc", 2), wire.Refused},        // of another channel
			{2, proof(fakeID(1, 's'), "c", 2), wire.Blocked},
			{1, store.ID{}, wire.OK},
		} {
			o := wire.Open{SenderStore: fakeID(1, 's'), Session: wire.Session{Run: fakeID(1, 'r'), Counter: uint64(i + 1)}, ReceiverStore: store.ID{1}, ReceiverRun: store.ID{2},
				Channels: []wire.OpenChannel{{Name: "c", Join: c.join, Proof: c.proof}}}
			f.box.Receive(wire.Address{Kind: wire.SubjectOpen, To: "me", From: fakeName(1)}, o.Append(nil))
			synctest.Wait()
			f.answers.mu.Lock()
			st := f.answers.last[f.subject.Status(fakeName(1), "me")]
			f.answers.mu.Unlock()
			if st == nil || !st.Opened || st.Channels[0].State != c.state {
				t.Errorf("open %d of join %d: %+v, want state %d", i, c.join, st, c.state)
			}
			if c.state == wire.OK && st.Channels[0].Proof != proof(fakeID(1, 's'), "c", 1) {
				t.Errorf("the answer proves %x", st.Channels[0].Proof)
			}
		}
		if !slices.Equal(rejoined, []uint64{2}) {
			t.Errorf("taken over: %v", rejoined)
		}
	})
}
