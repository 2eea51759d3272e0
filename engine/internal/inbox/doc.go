// Package inbox is the receiving half of a node: it takes frames in order, hands each message to its channel's consumer, and
// acknowledges what is committed. Every sender has its own lane: a queue between the frames that arrive and one goroutine that
// hands over, and a second goroutine that reports to the sender.
//
// What is durable when: a verdict, what the handler wants written, and the new position are one transaction; a position is
// reported only after that. The next message may be handed over before it, never the next attempt of the same message.
package inbox

import (
	"context"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Log is what the inbox needs of the store.
type Log interface {
	ID() store.ID
	Run() store.ID
	WasClean() bool
	Full() bool
	Offer(*store.Tx) error
	Do(*store.Tx) error
	Positions(sender store.ID) []store.Position
	Attempts(sender store.ID) []store.AttemptAt
	DeadLetter(id int64) (store.DeadLetter, bool, error)
}

// Publisher sends status frames; they may get lost.
type Publisher interface {
	Publish(subject string, data []byte) error
}

// Options are the inbox's settings; see engine.Config for their meaning.
type Options struct {
	Node          string
	Subjects      wire.Subjects
	RetryInterval time.Duration
	MaxAttempts   int
	Parallel      int // how many senders' messages a channel's consumer sees at a time
	MaxBytes      int // queued per lane; more is not taken
	MaxQueued     int // queued over all lanes; beyond it a lane takes only what it has nothing else queued beside
	MaxLarge      int // of batches above 1 MiB, over all lanes, from their first piece to the end of their handling
	MaxBatch      int // bytes of one batch put together from pieces
	// Writer tells whether a node may write to a channel, as far as is known.
	Writer func(node, channel string) bool
	// Member tells the store and the run that a node has announced; false: it has not announced itself.
	Member func(node string) (id, run store.ID, ok bool)
	// Ask makes the nodes that have not announced themselves do it; it must not block.
	Ask func()
	// Deaf says why this node does not hear a channel's data; empty: it does.
	Deaf func(channel string) string
	// Ended tells whether a join is one of this node's that is over.
	Ended func(channel string, join uint64) bool
	// Prove returns what proves that a join to a sender's channel was this node's; the sender keeps it.
	Prove func(sender store.ID, channel string, join uint64) store.ID
	// Rejoin is told of a join that was this node's, and is newer than the one that it knows of. It must not block.
	Rejoin func(channel string, join uint64)
	// Batches are the batch versions that can be read.
	Batches wire.Versions
	// OwnerOf tells the node that a store belongs to, as far as is known.
	OwnerOf func(id store.ID) (node string, ok bool)
	Event   func(Event)
	// Observed asks for the events of the ordinary flow too.
	Observed bool
}

// Event tells the owner what happened, for logs and counters.
type Event struct {
	Kind    EventKind
	Fault   wire.Fault // of FrameRejected
	Node    string
	Channel string
	Detail  string
	Count   int           // messages
	Attempt int           // of MessageHandled and AttemptFailed
	Waited  time.Duration // of MessageHandled: from its arrival to the call of its consumer
	Took    time.Duration // of MessageHandled: until its verdict
}

// EventKind is the kind of an Event.
type EventKind uint8

const (
	FrameRejected  EventKind = iota + 1 // bytes with a Fault
	ChannelRefused                      // a channel's frames are not taken, for the reason in Detail
	DeadLettered
	AttemptFailed
	MessageExpired
	BatchCorrupt
	MessageHandled  // if Observed
	MessagesSkipped // if Observed; Detail is the reason
	NoRoom          // the store is full, and a handler waits for room
)

// Delivery is one attempt at handing over one message.
type Delivery struct {
	Sender    store.ID
	Node      string // the sender
	Channel   string
	Run       store.ID
	Seq       uint64
	Message   wire.Message
	Attempt   int    // 1 for the first
	LastError string // why the attempt before failed, if that is known
}

// Kind is how an attempt ended.
type Kind uint8

const (
	Ack   Kind = iota + 1
	Retry      // costs an attempt; the next follows after Delay
	Dead       // to the dead letters at once
	Void       // nothing happened: the engine is stopping, or the consumer cannot judge now for the Reason given; it is asked again after Delay
)

// Verdict is the outcome of an attempt.
type Verdict struct {
	Kind   Kind
	Delay  time.Duration // before the next attempt; 0: the configured interval
	Reason string

	// For Ack: what commits together with the position.
	Segments []store.Segment
	State    []store.StateChange
	Queued   func()      // called once, when the effects have their place in the commit order; may be nil
	Settled  func(error) // called once: nil when they are durable; may be nil
}

// Consumer handles a message and returns its verdict; it is called for one message of a channel at a time (see Options.Parallel).
// It returns Void when ctx ends before there is a verdict. It keeps nothing of d but what the message refers to.
type Consumer func(ctx context.Context, d *Delivery) Verdict
