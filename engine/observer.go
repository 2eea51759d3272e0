package engine

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/node"
)

// Event is something that happened, for an observer. Which fields are set, its kind says; the others are zero.
type Event struct {
	Kind    EventKind
	Channel string
	Node    string // the other node
	Count   int    // messages; 1 where the kind is of one message
	Bytes   int
	Attempt int
	Waited  time.Duration
	Took    time.Duration
	Detail  string // for people, or one of the words that the kind names
}

// EventKind is the kind of an Event. There may be more of them in later versions.
type EventKind uint8

const (
	// MessagesAccepted: messages of this node's senders, or emits, are durable: Channel, Count, Bytes as stored. One event for each batch.
	MessagesAccepted = EventKind(node.Accepted)
	// MessageHandled: a handler acked: Channel, Node the sender, Attempt, Waited from its arrival to the call, Took until the verdict. Its commit follows.
	MessageHandled = EventKind(node.Handled)
	// MessagesAcknowledged: a reader reported that it has handled more: Channel, Node the reader, Count.
	MessagesAcknowledged = EventKind(node.Acknowledged)
	// MessageRetried: an attempt failed, and another follows or a dead letter: Channel, Node the sender, Attempt, Detail why.
	MessageRetried = EventKind(node.Retried)
	// MessageDeadLettered: a message was given up on here: Channel, Node the sender, Attempt the number of attempts, Detail why.
	MessageDeadLettered = EventKind(node.DeadLettered)
	// MessagesSkipped: messages ended here without a handler: Channel, Node the sender, Count, Detail expired, purged, overflow, pruned or corrupt.
	MessagesSkipped = EventKind(node.Skipped)
	// TransactionCommitted: the database committed: Took; Count and Bytes of the messages among it, often none.
	TransactionCommitted = EventKind(node.Committed)
	// FrameSent: a frame was handed to NATS: Channel, Node the receiver, Bytes, Detail data, open, status, keepalive, discovery or management.
	FrameSent = EventKind(node.FrameSent)
	// FrameReceived: a frame came: as FrameSent, Node the sender.
	FrameReceived = EventKind(node.FrameReceived)
	// FrameRejected: an open or data frame was damaged, misdirected or hostile: Node it came from, Detail.
	FrameRejected = EventKind(node.FrameRejected)
	// BatchDamaged: a batch is damaged, at rest or in every copy that came; its messages end as corrupt: Channel, Node, Detail.
	BatchDamaged = EventKind(node.Damaged)
	// NATSConnected: NATS can be reached: Detail the server. Each but the first is a reconnect.
	NATSConnected = EventKind(node.Connected)
	// NATSDisconnected: the connection to NATS is gone: Detail why.
	NATSDisconnected = EventKind(node.Disconnected)
	// LaneOpened: messages flow to a reader: Node.
	LaneOpened = EventKind(node.LaneOpened)
	// LaneStalled: a reader makes no progress; its lane opens anew: Node.
	LaneStalled = EventKind(node.LaneStalled)
	// LaneSuspended: a reader refuses a channel: Node, Channel, Detail why.
	LaneSuspended = EventKind(node.LaneSuspended)
	// LaneClosed: a reader cannot be reached, or takes nothing for now: Node.
	LaneClosed = EventKind(node.LaneClosed)
	// LaneEnded: a reader has left a channel for good: Node, Channel.
	LaneEnded = EventKind(node.LaneEnded)
)

func (k EventKind) String() string {
	if name, ok := eventNames[k]; ok {
		return name
	}
	return "unknown"
}

var eventNames = map[EventKind]string{
	MessagesAccepted:     "messages_accepted",
	MessageHandled:       "message_handled",
	MessagesAcknowledged: "messages_acknowledged",
	MessageRetried:       "message_retried",
	MessageDeadLettered:  "message_dead_lettered",
	MessagesSkipped:      "messages_skipped",
	TransactionCommitted: "transaction_committed",
	FrameSent:            "frame_sent",
	FrameReceived:        "frame_received",
	FrameRejected:        "frame_rejected",
	BatchDamaged:         "batch_damaged",
	NATSConnected:        "nats_connected",
	NATSDisconnected:     "nats_disconnected",
	LaneOpened:           "lane_opened",
	LaneStalled:          "lane_stalled",
	LaneSuspended:        "lane_suspended",
	LaneClosed:           "lane_closed",
	LaneEnded:            "lane_ended",
}

func publicEvent(e *node.Event) Event {
	p := Event{Kind: EventKind(e.Kind), Channel: e.Channel, Node: e.Node, Count: e.Count, Bytes: e.Bytes, Attempt: e.Attempt, Waited: e.Waited, Took: e.Took, Detail: e.Detail}
	switch p.Kind {
	case MessageHandled, MessageRetried, MessageDeadLettered:
		p.Count = 1
	default:
	}
	return p
}
