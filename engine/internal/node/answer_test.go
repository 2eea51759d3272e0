package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// hearer counts what it hears.
type hearer struct{ count int }

func (h *hearer) Receive(string, []byte) { h.count++ }

func (h *hearer) Event(transport.Event) {}

// TestAnswerIsNotPutOff: a node that is asked all the time answers all the same.
func TestAnswerIsNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTarget(t)
		h := &hearer{}
		newcomer := g.network.Dial("newcomer")
		if err := newcomer.Subscribe("rmds.discovery.bob"); err != nil {
			t.Fatal(err)
		}
		if err := newcomer.Start(h); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(newcomer.Close)
		time.Sleep(time.Second)
		synctest.Wait()
		before := h.count
		for i := range 50 { // every 20 ms, for a second
			a := wire.Announcement{Node: "eve", Store: wire.ID{0xE1}, Run: wire.ID{0xE2}, Batches: wire.KnownVersions(), Serial: uint64(i + 1), Ask: true}
			if err := newcomer.Publish("rmds.discovery.eve", a.Append(nil)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		if got := h.count - before; got < 5 || got > 30 {
			t.Errorf("%d answers within a second, want one about every 50 ms", got)
		}
	})
}
