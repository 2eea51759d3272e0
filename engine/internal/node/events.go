package node

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/outbox"
)

// limiter lets each kind of warning through once in a while, and tells how many were held back. What strangers send must not
// fill a log.
type limiter struct {
	mu   sync.Mutex
	seen map[string]*seen
}

type seen struct {
	last time.Time
	held int
}

const warnEvery = 10 * time.Second

func (l *limiter) warn(log zerolog.Logger, kind, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]*seen{}
	}
	s := l.seen[kind]
	if s == nil {
		s = &seen{}
		l.seen[kind] = s
	}
	if now := time.Now(); now.Sub(s.last) >= warnEvery {
		log.Warn().Int("held_back", s.held).Msg(message)
		s.last, s.held = now, 0
		return
	}
	s.held++
}

func (n *Node) outboxEvent(e outbox.Event) {
	n.observe(&Event{Kind: outboxKinds[e.Kind], Node: e.Node, Channel: e.Channel, Detail: e.Detail, Count: e.Count})
	if e.Kind == outbox.Acknowledged {
		return
	}
	log := n.log.With().Str("node", e.Node).Str("channel", e.Channel).Str("detail", e.Detail).Logger()
	switch e.Kind {
	case outbox.SessionOpened:
		log.Debug().Msg("a session with a reader is open")
	case outbox.SessionStalled:
		n.limiter.warn(log, "stalled "+e.Node, "a reader makes no progress")
	case outbox.ChannelRefused:
		log.Error().Msg("a reader refuses this channel; nothing of it is sent there until it joins anew or a side restarts")
	case outbox.ReaderLeft:
		log.Info().Msg("a reader left; what waited for it counts as removed")
	case outbox.ReadFailed:
		n.limiter.warn(log, "read", "the log could not be read")
	case outbox.BatchCorrupt:
		log.Error().Msg("a stored batch is damaged; its messages cannot be delivered and count as corrupt")
	case outbox.SessionClosed, outbox.Acknowledged:
	case outbox.PositionLost:
		log.Warn().Msg("a reader's place was corrected")
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
		n.limiter.warn(log, "frame", "a frame was rejected")
	case inbox.BatchCorrupt:
		n.limiter.warn(log, "corrupt", "a batch is damaged")
	case inbox.AttemptFailed:
		n.limiter.warn(log, "attempt "+e.Channel, "a message could not be handled; it will be tried again")
	case inbox.DeadLettered:
		n.limiter.warn(log, "dead "+e.Channel, "a message became a dead letter")
	case inbox.MessageExpired, inbox.MessageHandled, inbox.MessagesSkipped:
	}
}
