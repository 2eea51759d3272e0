package sim

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/getevo/rmds-router/engine"
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
	{"backup", 16, (*world).backup},
	{"restore", 40, (*world).restore},
	{"disk full", 5, (*world).full},
	{"database deleted", 10, (*world).wipe},
	{"redeploy", 6, func(w *world) bool { return w.down("redeploy", (*node).redeploy) }},
	{"handlers fail", 6, (*world).sicken},
	{"handlers held", 5, (*world).starve},
	{"redrive", 10, (*world).redrive},
	{"leave", 12, (*world).secede},
	{"kick", 12, (*world).kick},
	{"purge", 14, (*world).purge},
	{"network down", 5, (*world).netDown},
	{"cut off", 6, (*world).cutOff},
	{"reconnects", 6, (*world).reconnects},
	{"partition", 5, (*world).partition},
	{"one-way partition", 5, (*world).oneWay},
	{"freeze", 6, (*world).freeze},
	{"loss", 5, func(w *world) bool { return w.spoil(func(f *memconn.Faults) { f.Drop = w.some() }) }},
	{"repeats", 4, func(w *world) bool { return w.spoil(func(f *memconn.Faults) { f.Duplicate = w.some() }) }},
	{"disorder", 4, func(w *world) bool {
		return w.spoil(func(f *memconn.Faults) { f.Reorder, f.ReorderBy = w.some(), 300*time.Millisecond })
	}},
	{"slow network", 5, func(w *world) bool {
		return w.spoil(func(f *memconn.Faults) { f.Rate, f.MaxDelay = 4000, 400*time.Millisecond })
	}},
	{"bad network", 8, (*world).badNetwork},
	{name: clockJump}, // never drawn: see jump
}

const clockJump = "clock jump"

// jump sets a node's wall clock years ahead or back, now and then. No order, life or repetition may depend on the date: so this comes besides
// the fault that is drawn, by dice of its own, and a seed plays the same as it would without.
func (w *world) jump(i int) {
	dice := keyed(w.seed, clockJump, strconv.Itoa(i))
	n := pick(dice, w.nodes...)
	if !chance(dice, 0.2) {
		return
	}
	w.hit = n
	w.tally[clockJump]++
	w.note(clockJump, w.look())
	n.ahead.Store(int64(time.Duration(pick(dice, -40, -1, 0, 1, 40)) * 365 * 24 * time.Hour))
}

// fault draws one that can come now, and lets it.
func (w *world) fault() {
	total := 0
	seen := w.look()
	for _, f := range faults {
		total += f.weight
	}
	for {
		roll := w.draw.IntN(total)
		i := slices.IndexFunc(faults, func(f fault) bool { roll -= f.weight; return roll < 0 })
		if w.next != "" && chance(w.draw, 0.5) {
			i = slices.IndexFunc(faults, func(f fault) bool { return f.name == w.next })
		}
		if w.hit = nil; faults[i].strike(w) {
			w.tally[faults[i].name]++
			w.note(faults[i].name, seen)
			return
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
	w.hit = pick(w.draw, list...)
	if w.victim != nil && w.victim.run != nil && chance(w.draw, 0.7) {
		w.hit = w.victim
	}
	return w.hit
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
		return time.Duration(5+w.draw.IntN(20)) * time.Minute
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

// redeploy ends the run in order, and the next one has other settings.
func (n *node) redeploy() {
	n.leave()
	c, r := &n.plan.config, n.w.draw
	c.EnableCompression = !c.EnableCompression
	c.MaxInFlight, c.MaxBytesInFlight = pick(r, 1, 8, 4096), pick(r, 16<<10, 8<<20)
	if n.w.plan.moving && chance(r, 0.5) {
		n.narrow()
	}
	if chance(r, 0.3) {
		c.Ordering = pick(r, engine.OrderReceiver, engine.OrderChannel)
		n.plan.ordered = n.plan.ordered && c.Ordering == engine.OrderReceiver
	}
}

// sicken makes every handler of a node fail for a while.
func (w *world) sicken() bool {
	n := w.up()
	if n == nil {
		return false
	}
	n.sick.Add(1)
	w.later(w.outage(), func() { n.sick.Add(-1) })
	return true
}

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
	if n == nil || !w.plan.backups || n.copy != nil || n.made < 0 {
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

// wipe deletes a node's database. Its disk is put back to nothing, as it were; that happens instead of a restore.
func (w *world) wipe() bool {
	n := w.up()
	if n == nil || !w.plan.backups || n.made < 0 {
		return false
	}
	n.crash("to lose its database")
	w.history.add(Event{Kind: RolledBack, Node: n.plan.id, Wiped: true})
	n.disk.Kill()
	n.swap(crashvfs.New(w.draw.Uint64()))
	w.current[n.plan.id] = ""
	n.made = -1
	w.later(w.absence(), func() { n.start("without its database") })
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
