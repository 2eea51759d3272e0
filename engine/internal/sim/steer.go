package sim

import (
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// rare are states that faults hardly ever meet by chance, for they last a moment or come seldom.
var rare = []string{"disk full", "gap", "reassembling"}

// steer brings a rare state about now and then, for the next fault to meet it.
func (w *world) steer() {
	w.victim = nil
	if !chance(w.draw, 0.2) {
		return
	}
	state := pick(w.draw, rare...)
	switch state {
	case "disk full":
		w.full()
	case "gap":
		w.net.SetFaults(memconn.Faults{MinDelay: time.Millisecond, MaxDelay: 100 * time.Millisecond, Drop: 0.4})
		w.later(2*time.Second, w.calm)
	case "reassembling":
		w.net.SetMaxPayload(small) // the server may have been told to take less
		w.net.SetFaults(memconn.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, Rate: 100 << 10})
		w.later(5*time.Second, w.calm)
		for _, n := range w.nodes {
			if n.run != nil {
				n.run.large.Store(true)
			}
		}
	}
	w.grant(4)
	w.await(state)
}

// await waits a little until a node is in a state, and makes it the likely victim of the fault that comes next.
func (w *world) await(state string) {
	for range 60 {
		for _, n := range w.nodes {
			if n.run != nil && slices.Contains(n.states(), state) {
				w.victim = n
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
