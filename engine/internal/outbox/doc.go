// Package outbox is the sending half of a node: it gathers what is sent into the log, and streams the log to every reader,
// each over its own lane. A stream is one goroutine around one lane.Sender; the log's writer wakes it when there is more.
//
// What is durable when: a send is answered, and a frame leaves, only after the batch is durable. What readers report is stored
// with a short delay; losing that costs nothing, for the reader's own word counts at the next session.
package outbox

import (
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Log is what the outbox needs of the store.
type Log interface {
	ID() store.ID
	Run() store.ID
	Now() int64
	Submit(*store.Tx)
	Do(*store.Tx) error
	Head(channel string) (store.Head, bool)
	Newest() uint64
	Read(channel string, after uint64, maxBytes int) ([]store.Batch, error)
	ReadBlob(first uint64, offset int64, p []byte) error
	Upto(channel string, seq uint64) (uint64, error)
	Runs() []store.Run
	LastOf(run store.ID) (uint64, bool)
	Readers() []store.Reader
	Short() bool
	Skips(channel string, reader store.ID, join, from, to uint64) ([]store.SkipRange, error)
}

// Publisher puts frames on their way; it keeps nothing and may fail.
type Publisher interface {
	Publish(subject string, data []byte) error
	MaxPayload() int
}

// Options are the outbox's settings; see engine.Config for their meaning.
type Options struct {
	Node           string
	Subjects       wire.Subjects
	MaxInFlight    int
	MaxBytes       int
	AckTimeout     time.Duration
	MaxPerReceiver int // 0: no limit
	Overflow       Overflow
	MaxMessageSize int
	PerChannel     bool          // one lane per channel instead of one per reader
	Batches        wire.Versions // those that this node can encode
	Suspension     time.Duration // how long a channel that is refused rests before it is tried again; it doubles up to a limit
	Event          func(Event)
	Observed       bool // asks for the events of the ordinary flow too
}

// Event tells the owner what happened to a reader, for logs and counters.
type Event struct {
	Kind    EventKind
	Fault   wire.Fault // of FrameRejected
	Node    string
	Channel string
	Detail  string
	Count   int // messages
}

// EventKind is the kind of an Event.
type EventKind uint8

const (
	SessionOpened EventKind = iota + 1
	SessionStalled
	ChannelSuspended // nothing of the channel is sent to the reader for a while; detail says why
	ChannelResumed
	ReaderLeft
	ReadFailed
	BatchCorrupt    // a batch is damaged at rest: its messages end as corrupt
	ReaderForgotten // a node has had so many stores or joins that the oldest is no longer on record
	PositionLost    // the reader's and the sender's record do not meet; detail says what was done
	SessionClosed
	FrameRejected // bytes with a Fault
	Acknowledged  // if Observed: the reader has handled Count more
)
