package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/crashvfs"
)

// TestAFailedStoreIsQuiet lets a reader come back with another database after its sender's store has failed. The sender cannot put it on record,
// and may try that now and then, not all the time: seed 635 stood still once.
func TestAFailedStoreIsQuiet(t *testing.T) {
	hung := time.AfterFunc(limit, func() { panic("the sender keeps its processor busy, and no time passes") })
	defer hung.Stop()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, variants[0].plan(), keyed(1), nil)
		for _, n := range w.nodes {
			n.start("first")
		}
		sender, reader := w.node("a"), w.node("c")
		w.sleep(time.Minute)
		w.send(sender, 0, 4)
		w.sleep(time.Minute)
		reader.crash("to lose its database")
		reader.swap(crashvfs.New(2))
		sender.disk.FailNext(crashvfs.Sync, crashvfs.ErrSync)
		if err := sender.run.channel(work).SendBatch(context.Background(), []engine.Outgoing{{Data: content("a9", 9)}}); err == nil || !failed(sender) {
			t.Fatalf("the store has not failed: %v", err)
		}
		before := w.net.Counts().Published
		reader.start("without its database")
		w.sleep(time.Minute)
		if n := w.net.Counts().Published - before; n > 3000 {
			t.Errorf("%d frames in a minute", n)
		}
		for _, n := range w.nodes {
			n.crash("the end")
			n.disk.Close()
		}
	})
}
