package sim

import (
	"errors"
	"time"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// fault is one kind of fault. It returns false if it cannot come now.
type fault struct {
	name   string
	weight int
	strike func(*world) bool
}

var faults = []fault{
	{"kill", 12, func(w *world) bool { return w.down("kill", kill) }},
	{"kill in a transaction", 8, func(w *world) bool { return w.down("kill in a transaction", killWriting) }},
	{"power cut", 10, func(w *world) bool { return w.down("power cut", cut) }},
	{"power cut in a transaction", 14, func(w *world) bool { return w.down("power cut in a transaction", cutWriting) }},
	{"close", 6, func(w *world) bool { return w.down("close", (*node).close) }},
	{"disk error", 3, func(w *world) bool { return w.down("disk error", fail) }},
	{"backup", 14, (*world).backup},
	{"restore", 12, (*world).restore},
	{"disk full", 5, (*world).full},
	{"network down", 5, (*world).netDown},
	{"cut off", 6, (*world).cutOff},
	{"partition", 6, (*world).partition},
	{"bad network", 12, (*world).badNetwork},
}

// fault draws one that can come now, and lets it.
func (w *world) fault() {
	total := 0
	for _, f := range faults {
		total += f.weight
	}
	for {
		roll := w.draw.IntN(total)
		for _, f := range faults {
			if roll -= f.weight; roll < 0 {
				if f.strike(w) {
					w.tally[f.name]++
					return
				}
				break
			}
		}
	}
}

// up draws a node that is up; nil if none is.
func (w *world) up() *node {
	var list []*node
	for _, n := range w.nodes {
		if n.run != nil {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return pick(w.draw, list...)
}

// absence is how long a node stays down: mostly short.
func (w *world) absence() time.Duration {
	switch roll := w.draw.IntN(20); {
	case roll < 8:
		return time.Duration(w.draw.IntN(1000)) * time.Millisecond
	case roll < 14:
		return time.Duration(w.draw.IntN(25)) * time.Second
	case roll < 19:
		return time.Duration(30+w.draw.IntN(90)) * time.Second
	default:
		return time.Duration(5+w.draw.IntN(60)) * time.Minute
	}
}

// down takes a node down in some way, and brings it up later.
func (w *world) down(why string, how func(*node)) bool {
	n := w.up()
	if n == nil {
		return false
	}
	if why != "close" { // a process can end in order with its disk full; the other ways need the disk to do something
		n.disk.SetFull(false)
	}
	how(n)
	w.later(w.absence(), func() { n.start("after " + why) })
	return true
}

// close is no fault, but its end of a run is one of its own.
func (n *node) close() { n.leave() }

func kill(n *node) {
	if chance(n.w.draw, 0.5) {
		n.disk.Kill()
	}
	n.crash("killed")
	n.swap(n.disk.Restart())
}

func killWriting(n *node) {
	n.doom()
	n.crash("killed in a transaction")
	n.swap(n.disk.Restart())
}

func cut(n *node) {
	next := n.disk.PowerCut()
	n.crash("power cut")
	n.swap(next)
}

func cutWriting(n *node) {
	n.doom()
	n.crash("power cut in a transaction")
	n.swap(n.disk.PowerCut())
}

var errWorn = errors.New("the disk is worn out")

// fail lets an operation fail as a worn disk does. What a failed sync leaves is known only after the power was off.
func fail(n *node) {
	if chance(n.w.draw, 0.5) {
		n.disk.FailNext(crashvfs.Sync, crashvfs.ErrSync)
		n.busy(func() bool { return failed(n) })
		n.crash("sync failed")
		n.swap(n.disk.PowerCut())
		return
	}
	n.disk.FailNext(crashvfs.Write, crashvfs.ErrWrite)
	n.busy(func() bool { return failed(n) })
	n.crash("write failed")
	n.swap(n.disk.Restart())
}

func failed(n *node) bool {
	select {
	case <-n.run.c.Failed():
		return true
	default:
		return false
	}
}

// doom lets the disk die after a number of operations.
func (n *node) doom() {
	n.disk.CutAfter(n.w.draw.IntN(25))
	n.busy(n.disk.Dead)
}

// busy keeps everybody sending until something has happened, or not for a while.
func (n *node) busy(until func() bool) {
	for i := range 40 {
		if until() {
			return
		}
		if i%4 == 0 {
			n.w.grant(2)
		}
		time.Sleep(time.Duration(n.w.draw.IntN(60)) * time.Millisecond)
	}
}

func (w *world) backup() bool {
	n := w.up()
	if n == nil || !w.plan.backups || n.copy != nil {
		return false
	}
	n.made = w.history.add(Event{})
	n.copy = n.disk.Snapshot()
	return true
}

// restore puts a node's disk back to its backup. It happens once to a node at most.
func (w *world) restore() bool {
	n := w.up()
	if n == nil || n.copy == nil || n.made < 0 {
		return false
	}
	n.crash("to be restored")
	w.history.add(Event{Kind: RolledBack, Node: n.plan.id, Since: n.made})
	n.swap(n.disk.Restore(n.copy))
	n.made = -1
	w.later(w.absence(), func() { n.start("from a backup") })
	return true
}

func (w *world) full() bool {
	n := w.up()
	if n == nil {
		return false
	}
	disk := n.disk
	disk.SetFull(true)
	n.full = disk
	w.later(time.Duration(1+w.draw.IntN(60))*time.Second, func() { disk.SetFull(false) })
	return true
}

// outage is how long a fault of the network lasts.
func (w *world) outage() time.Duration {
	switch roll := w.draw.IntN(10); {
	case roll < 5:
		return time.Duration(w.draw.IntN(5000)) * time.Millisecond
	case roll < 9:
		return time.Duration(w.draw.IntN(90)) * time.Second
	default:
		return time.Duration(2+w.draw.IntN(30)) * time.Minute
	}
}

func (w *world) netDown() bool {
	w.net.Down()
	w.later(w.outage(), w.net.Up)
	return true
}

func (w *world) cutOff() bool {
	id := pick(w.draw, w.nodes...).plan.id
	w.away[id]++
	w.net.Disconnect(id)
	w.later(w.outage(), func() {
		if w.away[id]--; w.away[id] == 0 {
			w.net.Reconnect(id)
		}
	})
	return true
}

func (w *world) partition() bool {
	a, b := pick(w.draw, w.nodes...).plan.id, pick(w.draw, w.nodes...).plan.id
	if a == b {
		return false
	}
	w.net.Partition(a, b)
	w.later(w.outage(), func() { w.net.Heal(a, b) })
	return true
}

func (w *world) badNetwork() bool {
	p := func() float64 {
		if chance(w.draw, 0.5) {
			return 0
		}
		return w.draw.Float64() * 0.3
	}
	w.net.SetFaults(memconn.Faults{Drop: p(), Duplicate: p(), Reorder: p(), Truncate: p(), Corrupt: p(), Stall: p() / 10, MinDelay: time.Millisecond,
		MaxDelay: time.Duration(1+w.draw.IntN(200)) * time.Millisecond, ReorderBy: 300 * time.Millisecond, StallFor: time.Duration(w.draw.IntN(3000)) * time.Millisecond})
	w.later(w.outage(), w.calm)
	return true
}
