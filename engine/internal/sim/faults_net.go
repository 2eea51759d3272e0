package sim

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport/memconn"
)

// outage is how long a fault of the network lasts.
func (w *world) outage() time.Duration {
	switch roll := w.draw.IntN(10); {
	case roll < 5:
		return time.Duration(w.draw.IntN(5000)) * time.Millisecond
	case roll < 9:
		return time.Duration(w.draw.IntN(90)) * time.Second
	default:
		return time.Duration(2+w.draw.IntN(15)) * time.Minute
	}
}

func (w *world) netDown() bool {
	w.dark++
	w.net.Down()
	w.later(w.outage(), func() {
		if w.dark--; w.dark == 0 {
			w.net.Up()
		}
	})
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

// oneWay loses what goes from one node to another, and not what comes back.
func (w *world) oneWay() bool {
	a, b := pick(w.draw, w.nodes...).plan.id, pick(w.draw, w.nodes...).plan.id
	if a == b {
		return false
	}
	w.net.PartitionOneWay(a, b)
	w.later(w.outage(), func() { w.net.Heal(a, b) })
	return true
}

// reconnects cuts a node off again and again, or all of them.
func (w *world) reconnects() bool {
	one := chance(w.draw, 0.6)
	id := pick(w.draw, w.nodes...).plan.id
	for range 2 + w.draw.IntN(6) {
		if one {
			w.net.Disconnect(id)
		} else {
			w.net.Down()
		}
		w.grant(2)
		time.Sleep(time.Duration(w.draw.IntN(300)) * time.Millisecond)
		if one && w.away[id] == 0 {
			w.net.Reconnect(id)
		} else if !one && w.dark == 0 {
			w.net.Up()
		}
		time.Sleep(time.Duration(w.draw.IntN(300)) * time.Millisecond)
	}
	return true
}

// freeze stops a node as far as the others can see, and lets it go on.
func (w *world) freeze() bool {
	w.net.Freeze(pick(w.draw, w.nodes...).plan.id, min(w.outage(), 2*time.Minute)) // nothing ends it early
	return true
}

// some is a probability worth noticing.
func (w *world) some() float64 { return 0.05 + w.draw.Float64()*0.4 }

// spoil makes the network bad in one way.
func (w *world) spoil(how func(*memconn.Faults)) bool {
	f := memconn.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond}
	how(&f)
	w.net.SetFaults(f)
	w.later(w.outage(), w.calm)
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
