package node

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Event is something that happened; see engine.Event.
type Event struct {
	Kind    EventKind
	Channel string
	Node    string
	Count   int
	Bytes   int
	Attempt int
	Waited  time.Duration
	Took    time.Duration
	Detail  string
}

// EventKind is the kind of an Event; see the kinds of package engine.
type EventKind uint8

const (
	Accepted EventKind = iota + 1
	Handled
	Acknowledged
	Retried
	DeadLettered
	Skipped
	Committed
	FrameSent
	FrameReceived
	FrameRejected
	Damaged
	Connected
	Disconnected
	LaneOpened
	LaneStalled
	LaneSuspended
	LaneClosed
	LaneEnded
)

var (
	outboxKinds = map[outbox.EventKind]EventKind{outbox.SessionOpened: LaneOpened, outbox.SessionStalled: LaneStalled, outbox.ChannelSuspended: LaneSuspended, outbox.SessionClosed: LaneClosed,
		outbox.ReaderLeft: LaneEnded, outbox.BatchCorrupt: Damaged, outbox.Acknowledged: Acknowledged}
	inboxKinds = map[inbox.EventKind]EventKind{inbox.FrameRejected: FrameRejected, inbox.BatchCorrupt: Damaged, inbox.AttemptFailed: Retried, inbox.DeadLettered: DeadLettered,
		inbox.MessageExpired: Skipped, inbox.MessageHandled: Handled, inbox.MessagesSkipped: Skipped}
	frameKinds = map[wire.SubjectKind]string{wire.SubjectData: "data", wire.SubjectOpen: "open", wire.SubjectStatus: "status", wire.SubjectKeepalive: "keepalive",
		wire.SubjectDiscovery: "discovery", wire.SubjectManagement: "management"}
)

// observe tells the observer, if there is one.
func (n *Node) observe(e *Event) {
	if n.opt.Observe == nil || e.Kind == 0 {
		return
	}
	if e.Kind == Skipped && e.Detail == "" {
		e.Detail = wire.Expired.String()
	}
	n.opt.Observe(*e)
}

func (n *Node) observeFrame(k EventKind, a wire.Address, node string, data []byte) {
	if n.opt.Observe != nil {
		n.opt.Observe(Event{Kind: k, Channel: a.Channel, Node: node, Bytes: len(data), Detail: frameKinds[a.Kind]})
	}
}

// committed runs on the goroutine that writes.
func (n *Node) committed(took time.Duration, batches []store.Batch) {
	all := Event{Kind: Committed, Took: took}
	for i := range batches {
		b := &batches[i]
		n.opt.Observe(Event{Kind: Accepted, Channel: b.Channel, Count: int(b.Count()), Bytes: len(b.Blob)})
		all.Count += int(b.Count())
		all.Bytes += len(b.Blob)
	}
	n.opt.Observe(all)
}
