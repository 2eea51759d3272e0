package inbox

import "time"

// observedNow is the time if somebody observes; clocks cost too much to be read for nothing.
func (l *receiver) observedNow() time.Duration {
	if !l.box.opt.Observed {
		return 0
	}
	return l.box.now()
}

// handled tells the observer of a message whose consumer was called at a time and has acked it. Its commit follows.
func (l *receiver) handled(it *item, d *Delivery, called time.Duration) {
	if l.box.opt.Observed {
		l.box.opt.Event(Event{Kind: MessageHandled, Node: d.Node, Channel: d.Channel, Count: 1, Attempt: d.Attempt, Waited: called - it.arrived, Took: l.box.now() - called})
	}
}
