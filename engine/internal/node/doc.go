// Package node puts a node together: the store, the connection, who is in the network, the outbox and the inbox. Its one
// goroutine owns membership: it takes announcements, keeps the readers on record, and announces this node.
package node

import (
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/transport"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

var (
	// ErrClosed means the node is closed.
	ErrClosed = errors.New("node closed")
	// ErrNotJoined means the channel is not joined, or its join has ended.
	ErrNotJoined = errors.New("channel not joined")
)

// Options are a node's settings; see engine.Config for their meaning.
type Options struct {
	Store    store.Options // Path, VFS, Sync, NodeID, MaxSize; the rest is set here
	Conn     transport.Conn
	Pooled   bool // Conn spreads peers over several connections: what comes from a peer is subscribed to by its name
	Subjects wire.Subjects
	Version  string
	Batches  wire.Versions // batch versions that it reads, and of which it writes the newest; zero: those of this program
	Logger   zerolog.Logger

	Observe func(Event)          // may be nil
	Kicked  func(channel string) // another node ended this node's join; called before the join is gone

	Wall func() time.Time // nil: the machine's clock

	Compress       bool
	AckTimeout     time.Duration
	RetryInterval  time.Duration
	MaxAttempts    int
	MaxPerReceiver int // 0: no limit
	Overflow       outbox.Overflow
	MaxInFlight    int
	MaxBytes       int
	MaxMessageSize int
	PerChannel     bool
	Parallel       int
	DrainTimeout   time.Duration

	Keepalive time.Duration
	Offline   time.Duration
	Broadcast time.Duration
	Forget    time.Duration
	Cleanup   time.Duration
	Retention time.Duration
}

// Join is this node's subscription to a channel.
type Join struct {
	Channel string
	Number  uint64
	Role    wire.Role
	Replay  bool          // it began with a replay
	Own     bool          // read what this node itself sends
	Start   store.Start   // where new readers of what this node writes begin
	Journal time.Duration // how long what is received is kept; 0: not at all
	self    uint64        // the number of the join of the node to itself; 0: none
	ready   bool          // a consumer is attached
}
