package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// TestARedriveIsToldAgain loses what a reader says of the dead letters that it has handled after all, on lanes on which nothing else is said. Both ends
// have to count the same in the end: seed 150 found them apart.
func TestARedriveIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := variants[0].plan()
		p.steady = false // then a message that was rejected may be handled when it is redriven
		w := newWorld(3, p, keyed(3), nil)
		for _, n := range w.nodes {
			n.start("first")
		}
		sender, reader := w.node("a"), w.node("c")
		w.sleep(time.Minute)
		w.send(sender, 0, 200)
		w.sleep(20 * time.Minute)
		letters, err := reader.run.c.DeadLetters(engine.DeadLetterFilter{})
		if err != nil || len(letters) == 0 {
			t.Fatalf("%d dead letters, %v", len(letters), err)
		}
		w.net.PartitionOneWay("c", "a")
		reader.run.redrive()
		w.sleep(time.Second) // the word is lost
		w.net.Heal("c", "a")
		handled := func() (said, has uint64) {
			for _, a := range sender.run.c.Accounts() {
				if a.Reader == "c" && a.Channel == work {
					in, _ := w.inbound(reader, "a", work, a.Join)
					return a.Handled, in.Handled
				}
			}
			return 0, 1
		}
		if said, has := handled(); said == has {
			t.Fatalf("the sender counts %d messages as handled, like its reader, though it cannot have heard of it", said)
		}
		w.sleep(time.Minute)
		if said, has := handled(); said != has {
			t.Errorf("the sender counts %d messages as handled, its reader %d", said, has)
		}
		w.end()
		for _, v := range Check(w.history) {
			t.Error(v)
		}
	})
}
