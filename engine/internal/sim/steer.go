package sim

import (
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// rare are states that faults hardly ever meet by chance, for they last a moment or come seldom.
var rare = []string{"disk full", "gap", "reassembling", "catching up from the database"}

// steer brings a rare state about now and then, for the next fault to meet it.
func (w *world) steer() {
	w.victim, w.next = nil, ""
	if n := w.restorable(); n != nil && chance(w.draw, 0.25) {
		w.pass(n)
		return
	}
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
	if n := w.up(); n != nil && state == "catching up from the database" {
		time.Sleep(100 * time.Millisecond)
		n.disk.SetFull(false)
		kill(n)
		n.start("with what it has not sent yet")
	}
	w.await(state)
}

// restorable is a node that is up and has a backup.
func (w *world) restorable() *node {
	for _, n := range w.nodes {
		if n.run != nil && n.copy != nil && n.made >= 0 {
			return n
		}
	}
	return nil
}

// pass lets a node pass over what is purged while it is away, and handle what comes behind that, before it is put back to its backup: what it passed must
// not come then.
func (w *world) pass(n *node) {
	id := n.plan.id
	w.away[id]++
	w.net.Disconnect(id)
	w.grant(4)
	time.Sleep(2 * time.Second)
	for _, other := range w.nodes {
		if w.plan.purging && other != n && other.run != nil && !other.crowded() {
			other.purge()
		}
	}
	time.Sleep(time.Second)
	if w.away[id]--; w.away[id] == 0 {
		w.net.Reconnect(id)
	}
	w.grant(4)
	time.Sleep(time.Duration(w.draw.IntN(5000)) * time.Millisecond)
	w.victim, w.next = n, "restore"
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
