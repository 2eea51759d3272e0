package inbox

import (
	"slices"

	"github.com/getevo/rmds-router/engine/internal/wire"
)

// takeOver frees the channels of an open from lanes of another scope: the sender was restarted with the other ordering, and no channel
// may be in two lanes. It tells whether they are free; if not, a message is in its handler or a commit under way, and the sender asks again.
func (b *Inbox) takeOver(k laneKey, channels []wire.OpenChannel) bool {
	b.mu.Lock()
	var others []*receiver
	for key, l := range b.lanes {
		if key.sender == k.sender && key.scope != k.scope {
			others = append(others, l)
		}
	}
	b.mu.Unlock()
	free := true
	for _, l := range others {
		for _, c := range channels {
			free = l.release(c.Name) && free
		}
	}
	return free
}

// release gives a channel up: what is queued of it is dropped, to come again by another lane. It is free when everything that
// this lane has handed over of it is durable.
func (l *receiver) release(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.progress[name] == nil {
		return true
	}
	l.machine.Forget(name)
	l.scrap(name)
	l.queue = slices.DeleteFunc(l.queue, func(it item) bool {
		if it.channel == name {
			l.queued -= it.bytes
			l.box.queued.Add(-int64(it.bytes))
			l.box.account.give(it.charge)
		}
		return it.channel == name
	})
	if l.busy || l.commits > 0 || l.paced {
		return false
	}
	delete(l.progress, name)
	return true
}

// holds tells whether the channel is still this lane's.
func (l *receiver) holds(it *item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.machine.Known(it.channel, it.join)
}
