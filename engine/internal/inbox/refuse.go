package inbox

import (
	"errors"
	"fmt"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// refusal is a channel of the session of which nothing is taken, though its frames are in order otherwise. Their numbers count, so that
// the lane's other channels go on.
type refusal struct {
	reason string
	role   bool // it ends when the sender announces another role
	said   bool
}

// refuse judges a frame that may not be taken; false: it may. err is what is wrong with its batches. l.mu is held.
func (l *receiver) refuse(a *lane.Arrival, err error) bool {
	r := l.refused[a.Channel]
	if r == nil {
		switch {
		case !a.Empty && !l.box.opt.Writer(l.node, a.Channel):
			r = &refusal{reason: fmt.Sprintf("%s is no writer of the channel", l.node), role: true}
			l.box.reject(wire.WrongRole, l.node, a.Channel, "data: "+r.reason)
		case errors.Is(err, wire.ErrVersion):
			r = &refusal{reason: fmt.Sprintf("no common version: %v; this node reads batches of version %d", err, wire.BatchVersion)}
			l.box.reject(wire.Newer, l.node, a.Channel, "data: "+r.reason)
		case a.Piece != nil && a.Piece.Total > uint64(l.box.opt.MaxBatch):
			r = &refusal{reason: fmt.Sprintf("a batch of %d bytes; this node takes %d", a.Piece.Total, l.box.opt.MaxBatch)}
			l.box.reject(wire.Huge, l.node, a.Channel, "data: "+r.reason)
		default:
			return false
		}
		l.ban(a.Channel, r)
	}
	now := l.box.now()
	switch l.machine.Refuse(*a) {
	case lane.Take:
		l.gap = false
		notify(l.say)
	case lane.Missing:
		l.gap = true
		l.nudge(now)
	case lane.Duplicate:
		r.said = false
		l.nudge(now)
	case lane.Stale:
	}
	return true
}

// ban takes nothing of a channel for the rest of the session; l.mu is held.
func (l *receiver) ban(channel string, r *refusal) {
	l.refused[channel] = r
	l.box.opt.Event(Event{Kind: ChannelRefused, Node: l.node, Channel: channel, Detail: r.reason})
}

// refusals are the status frames that tell the sender why; l.mu is held.
func (l *receiver) refusals(of *wire.Status) (list []*wire.Status) {
	for name, r := range l.refused {
		if !r.said {
			r.said = true
			st := *of
			st.State, st.Opened, st.Channel, st.Reason, st.Channels = wire.Refused, false, name, r.reason, nil
			list = append(list, &st)
		}
	}
	return list
}

// pardon makes the sender begin a new session if what it has announced since ends a refusal.
func (l *receiver) pardon(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.node != node {
		return
	}
	for name, r := range l.refused {
		if r.role && l.box.opt.Writer(node, name) {
			delete(l.refused, name)
			l.lost = true
			notify(l.say)
		}
	}
}
