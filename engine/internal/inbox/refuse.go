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
	over   func() bool // tells whether the reason is gone; nil: not in this session
	said   bool
}

// refuse judges a frame that may not be taken; false: it may. err is what is wrong with its batches. l.mu is held.
func (l *receiver) refuse(a *lane.Arrival, err error) bool {
	r := l.refused[a.Channel]
	if r == nil {
		switch {
		case !a.Empty && !l.box.opt.Writer(l.node, a.Channel):
			r = &refusal{reason: l.node + " is no writer of the channel", over: l.writerAgain(a.Channel)}
			l.box.reject(wire.WrongRole, l.node, a.Channel, "data: "+r.reason)
		case errors.Is(err, wire.ErrVersion):
			r = &refusal{reason: fmt.Sprintf("no common version: %v; this node reads batches of version %v", err, l.box.opt.Batches)}
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

// pardon makes the sender begin a new session if the reason of a refusal is gone.
func (l *receiver) pardon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, r := range l.refused {
		if r.over != nil && r.over() {
			delete(l.refused, name)
			l.lost = true
			notify(l.say)
		}
	}
}

// deafened refuses a channel whose data cannot be heard.
func (l *receiver) deafened(channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, carried := l.machine.Place(channel); carried && l.refused[channel] == nil {
		l.ban(channel, l.cannotHear(channel))
		notify(l.say)
	}
}

func (l *receiver) cannotHear(channel string) *refusal {
	return &refusal{reason: l.box.opt.Deaf(channel), over: func() bool { return l.box.opt.Deaf(channel) == "" }}
}

// writerAgain tells whether the sender is a writer by now.
func (l *receiver) writerAgain(channel string) func() bool {
	node := l.node
	return func() bool { return l.box.opt.Writer(node, channel) }
}
