package inbox

import "time"

// roomRetry is how often a lane looks whether the store has room again.
const roomRetry = 250 * time.Millisecond

// noRoom is why a lane is blocked whose handler's effects could not be stored.
const noRoom = "the store has no room"

// holds is why the consumer could not give a verdict; empty if it gave one, or the inbox stops.
func (v *Verdict) holds() string {
	if v.Kind != Void {
		return ""
	}
	return v.Reason
}

// block tells the sender why nothing moves, or, with an empty reason, that it does again. No attempt is counted meanwhile.
func (l *receiver) block(it *item, why string) {
	if l.waits == why {
		return
	}
	l.waits = why
	l.mu.Lock()
	l.blocked = why
	l.mu.Unlock()
	notify(l.say)
	if why == noRoom {
		l.box.opt.Event(Event{Kind: NoRoom, Node: l.node, Channel: it.channel})
	}
}

// suspects is how many messages of a lane are approached with care after the process died: more than were ever handled ahead of what is durable.
const suspects = 2 * speculation

// approach makes a process that dies of a message start closer to it the next time, until it is the lane's first, which runs alone: after one, two, four, … messages
// it waits until they are durable. It returns false if the inbox stops first.
func (l *receiver) approach() bool {
	if l.passed < 0 {
		return true
	}
	if n := l.passed; n > 0 && n&(n-1) == 0 {
		l.settle(l.box.ctx, 0)
	}
	if l.passed++; l.passed > suspects {
		l.passed = -1
	}
	return l.box.ctx.Err() == nil
}
