package node

import (
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/store"
)

// limiter lets each kind of warning through once in a while, and tells how many were held back. What strangers send must not
// fill a log.
type limiter struct {
	mu   sync.Mutex
	seen map[string]*seen
}

type seen struct {
	since time.Time
	let   int
	held  int
}

// Each kind is let through once within warnEvery; maxKinds bounds the kinds that are remembered.
const (
	warnEvery = 10 * time.Second
	maxKinds  = 4096
)

// allow tells whether one more of a kind, of which there may be so many at a time, is let through, and how many were held back before it. Kinds
// that differ only after the first word have a bound together too, for who can make up names can make up kinds.
func (l *limiter) allow(kind string, most int) (held int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	s := l.find(kind, now)
	family, _, named := strings.Cut(kind, " ")
	if !s.may(most) {
		return 0, false
	}
	if named {
		if f := l.find(family, now); !f.may(comings) {
			return 0, false
		} else if f.held > 0 {
			s.held, f.held = s.held+f.held, 0
		}
	}
	held, s.held = s.held, 0
	return held, true
}

// find returns what is known of a kind; l.mu is held.
func (l *limiter) find(kind string, now time.Time) *seen {
	s := l.seen[kind]
	if s == nil {
		if l.seen == nil || len(l.seen) >= maxKinds {
			l.forget()
		}
		s = &seen{since: now}
		l.seen[kind] = s
	}
	if now.Sub(s.since) >= warnEvery {
		s.since, s.let = now, 0
	}
	return s
}

// forget drops the kinds that have a name in them, and keeps the few that have none.
func (l *limiter) forget() {
	kept := map[string]*seen{}
	for kind, s := range l.seen {
		if !strings.Contains(kind, " ") {
			kept[kind] = s
		}
	}
	l.seen = kept
}

// may lets one through if there may be so many.
func (s *seen) may(most int) bool {
	if s.let >= most {
		s.held++
		return false
	}
	s.let++
	return true
}

func (l *limiter) warn(log zerolog.Logger, kind, message string) {
	if held, ok := l.allow(kind, 1); ok {
		log.Warn().Int("held_back", held).Msg(message)
	}
}

// comings bounds the lines about nodes that come and go, and the lines of one family of kinds, within warnEvery.
const comings = 200

// info is for what is ordinary, but not when strangers make it up by the thousand.
func (l *limiter) info(log zerolog.Logger, kind, message string) {
	if held, ok := l.allow(kind, comings); ok {
		if held > 0 {
			log = log.With().Int("held_back", held).Logger()
		}
		log.Info().Msg(message)
	}
}

// damaged runs on the goroutine that writes.
func (n *Node) damaged(d store.Damage) {
	n.observe(&Event{Kind: Damaged, Detail: d.Cause})
	n.log.Error().Uint64("seq", d.First).Str("detail", d.Cause).Msg("a stored batch that everybody has is damaged; it is kept")
}

func (n *Node) outboxEvent(e outbox.Event) {
	n.observe(&Event{Kind: outboxKinds[e.Kind], Node: e.Node, Channel: e.Channel, Detail: e.Detail, Count: e.Count})
	if e.Kind == outbox.Acknowledged {
		return
	}
	log := n.log.With().Str("node", e.Node).Str("channel", e.Channel).Str("detail", e.Detail).Logger()
	switch e.Kind {
	case outbox.FrameRejected:
		n.reject(e.Fault, e.Node, e.Channel, e.Detail)
	case outbox.SessionOpened:
		log.Debug().Msg("a session with a reader is open")
	case outbox.SessionStalled:
		n.limiter.warn(log, "stalled "+e.Node, "a reader makes no progress")
	case outbox.ChannelSuspended:
		if held, ok := n.limiter.allow("suspended "+e.Node+" "+e.Channel, 1); ok {
			log.Error().Int("held_back", held).Msg("nothing of this channel can be given to this reader; its messages wait, and it is tried again")
		}
	case outbox.ChannelResumed:
		n.limiter.info(log, "resumed", "the channel is given to its reader again")
	case outbox.ReaderLeft:
		n.limiter.info(log, "answer", "a reader left; what waited for it counts as removed")
	case outbox.ReadFailed:
		n.limiter.warn(log, "read", "the log could not be read")
	case outbox.BatchCorrupt:
		log.Error().Msg("a stored batch is damaged; its messages cannot be delivered and count as corrupt")
	case outbox.SessionClosed, outbox.Acknowledged:
	case outbox.ReaderForgotten:
		n.limiter.warn(log, "forgotten "+e.Node, "a node has come with so many databases or joins that the oldest is forgotten")
	case outbox.PositionLost:
		n.limiter.warn(log, "corrected "+e.Node+" "+e.Channel, "a reader's place was corrected")
	}
}

func (n *Node) inboxEvent(e inbox.Event) {
	n.observe(&Event{Kind: inboxKinds[e.Kind], Node: e.Node, Channel: e.Channel, Detail: e.Detail, Count: e.Count, Attempt: e.Attempt, Waited: e.Waited, Took: e.Took})
	switch e.Kind {
	case inbox.MessageHandled, inbox.MessagesSkipped, inbox.MessageExpired:
		return
	default:
	}
	log := n.log.With().Str("node", e.Node).Str("channel", e.Channel).Str("detail", e.Detail).Logger()
	switch e.Kind {
	case inbox.FrameRejected:
		n.reject(e.Fault, e.Node, e.Channel, e.Detail)
	case inbox.ChannelRefused:
		n.limiter.warn(log, "refused "+e.Node+" "+e.Channel, "a sender's frames on this channel are refused")
	case inbox.BatchCorrupt:
		if held, ok := n.limiter.allow("corrupt "+e.Node+" "+e.Channel, 1); ok {
			log.Error().Int("held_back", held).Msg("a batch came damaged again and again; it is kept for you to look at, and its messages count as corrupt")
		}
	case inbox.AttemptFailed:
		n.limiter.warn(log, "attempt "+e.Channel, "a message could not be handled; it will be tried again")
	case inbox.DeadLettered:
		n.limiter.warn(log, "dead "+e.Channel, "a message became a dead letter")
	case inbox.NoRoom:
		n.limiter.warn(log, "room "+e.Channel, "the storage is full: what the channel's handler writes has no room, so it waits")
	case inbox.MessageExpired, inbox.MessageHandled, inbox.MessagesSkipped:
	}
}
