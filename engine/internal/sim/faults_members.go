package sim

import (
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine"
)

// What operators do to a network: leave and join again, kick, purge, change roles.

// leavable lists the joins of a node that may end: those that read, but for the work channel, for what its handler emits is checked against
// what it handled.
func (n *node) leavable() (list []joinPlan) {
	for _, j := range n.plan.joins {
		if j.reads() && j.channel != work {
			list = append(list, j)
		}
	}
	return list
}

// leaving puts on record that a join may end from now on.
func (n *node) leaving(channel string) {
	if n.plan.join(channel).writes() {
		n.plan.ordered = false // what waits on the channel goes behind what is sent on others meanwhile
	}
	n.w.history.add(Event{Kind: Left, Node: n.plan.id, Channel: channel, Count: n.joins[channel]})
}

// secede makes a node leave a channel; tidy brings it back.
func (w *world) secede() bool {
	n := w.up()
	if n == nil || !w.plan.moving || len(n.leavable()) == 0 || n.crowded() {
		return false
	}
	j := pick(w.draw, n.leavable()...)
	ch := n.run.channel(j.channel)
	if ch == nil {
		return false
	}
	n.leaving(j.channel)
	n.run.tasks.Go(func() { _ = ch.Unsubscribe() }) // a store that fails is another fault's
	return true
}

// kick makes one node kick another from a channel, or from all that may be left.
func (w *world) kick() bool {
	n, victim := w.up(), pick(w.draw, w.nodes...)
	if n == nil || !w.plan.moving || n == victim || victim.runs == 0 || len(victim.leavable()) == 0 || n.crowded() {
		return false
	}
	joins := victim.leavable()
	if chance(w.draw, 0.7) {
		joins = joins[:1]
	}
	var channels []string
	for _, j := range joins {
		channels = append(channels, j.channel)
		victim.leaving(j.channel)
	}
	c := n.run.c
	n.run.tasks.Go(func() { _ = c.Mgmt.KickChannel(victim.plan.id, channels...) }) // it may not know the victim
	return true
}

// purge empties a node's queue.
func (w *world) purge() bool {
	n := w.up()
	if n == nil || !w.plan.purging || n.crowded() {
		return false
	}
	n.purge()
	return true
}

func (n *node) purge() {
	w, c := n.w, n.run.c
	n.run.tasks.Go(func() {
		_ = c.Mgmt.PurgeQueue(engine.Self) // a store that fails is another fault's
		w.history.add(Event{Kind: Purged, Node: n.plan.id})
	})
	w.history.add(Event{Kind: Purged, Node: n.plan.id})
}

// crowded tells whether the node's disk is full: what has to be written waits.
func (n *node) crowded() bool { return n.full == n.disk && n.disk.Full() }

// tidy joins again whatever a node that is up has left or was kicked from.
func (w *world) tidy() {
	for _, n := range w.nodes {
		if n.run == nil || n.crowded() {
			continue
		}
		present := n.run.c.Joined()
		for i, j := range n.plan.joins {
			if !slices.ContainsFunc(present, func(p engine.JoinInfo) bool { return p.Channel == j.channel }) {
				n.run.join(j)
				if j.reads() {
					n.run.attach(j, i)
				}
			}
		}
	}
}

// narrow makes a node a mere writer of a channel that it read too, from its next start on, or makes it a reader again.
func (n *node) narrow() {
	if n.narrowed != nil {
		n.narrowed.mode, n.narrowed = engine.RW, nil
		return
	}
	for i := range n.plan.joins {
		if j := &n.plan.joins[i]; j.mode == engine.RW && !j.own && j.channel != work {
			n.leaving(j.channel)
			j.mode, n.narrowed = engine.WriteOnly, j
			return
		}
	}
}

// widen gives every node its first role back.
func (w *world) widen() {
	for _, n := range w.nodes {
		if n.narrowed == nil {
			continue
		}
		n.leave() // recover has started every node
		n.narrow()
		time.Sleep(time.Second)
		n.start("with its first role")
	}
}
