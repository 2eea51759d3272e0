package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/node"
	"github.com/getevo/rmds-router/engine/internal/outbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Connection is one node of the network. It is safe for concurrent use.
type Connection struct {
	// Mgmt looks at and manages the network.
	Mgmt *Management

	config Config
	node   *node.Node

	mu       sync.Mutex
	channels map[string]*Channel
	joining  map[string]bool // channels whose join is on its way to the disk
	taps     taps
	closed   bool
}

// New opens the node's database and starts connecting; it works with NATS down. A nil config means DefaultConfig. Errors wrap
// ErrConfig, ErrName, ErrNodeID, ErrRenamed, ErrStorageInUse, ErrStorageVersion, ErrStorageFull, ErrNotDatabase, ErrNotWritable or ErrCorrupt, or come from the operating system; then nothing was created.
func New(c *Config, opts ...Option) (*Connection, error) {
	s, err := newSetup(c, opts)
	if err != nil {
		return nil, err
	}
	connection := &Connection{channels: map[string]*Channel{}, joining: map[string]bool{}}
	connection.Mgmt = &Management{c: connection}
	connection.taps.start()
	o := s.nodeOptions()
	o.Kicked = connection.forget
	if s.observe != nil {
		o.Observe = func(e node.Event) { s.observe(publicEvent(&e)) }
	}
	if connection.node, err = node.Open(o); err != nil {
		return nil, publicError(err)
	}
	s.config.NodeID = connection.node.ID()
	if err := s.remember(s.config.NodeID); err != nil {
		connection.abort()
		return nil, err
	}
	connection.config = s.config
	s.harness.Abort, s.harness.States = connection.abort, connection.node.States
	return connection, nil
}

// forget drops a channel whose join ends: its calls return ErrLeft from now on.
func (c *Connection) forget(channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.channels[channel]; ch != nil {
		ch.left.Store(true)
		delete(c.channels, channel)
	}
}

// NodeID is this node's id.
func (c *Connection) NodeID() string { return c.node.ID() }

// StoreID identifies this node's database, for ever.
func (c *Connection) StoreID() string { id := c.node.Store().ID(); return hex.EncodeToString(id[:]) }

// Failed is closed when the store failed: nothing is acknowledged any more and every call returns ErrStorage. The process should
// end with an error; the next start reads what is durable.
func (c *Connection) Failed() <-chan struct{} { return c.node.Store().Failed() }

// Connected tells whether NATS can be reached now.
func (c *Connection) Connected() bool { return c.node.Connected() }

// Unsubscribe leaves the network in order: no handler is called any more and those that run end, their verdicts are committed and reported; online readers get
// what they can take; the others are told goodbye; and the database is closed. Joins and positions stay: a later Join resumes them. All of it is bounded
// by DrainTimeout. What was not delivered by then stays in the database and is delivered after the next start.
//
// A handler that has not returned when the time is over goes on running without a connection: what it decides is lost, its message comes again after the next
// start, without an attempt counted, and the error wraps ErrHandler. A message whose handler returned without a verdict is not waited for: it too comes again, and
// its Ack gives ErrStale. A handler must not call Unsubscribe or Close itself: it would wait for its own end. Taps are waited for.
func (c *Connection) Unsubscribe() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.config.DrainTimeout)
	defer cancel()
	return c.Close(ctx)
}

// Close is Unsubscribe with the drain bounded by ctx instead of DrainTimeout. Calling it again returns nil.
func (c *Connection) Close(ctx context.Context) error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	err := publicError(c.node.Close(ctx))
	c.taps.stop()
	return err
}

// abort ends the connection as a crash would.
func (c *Connection) abort() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.node.Abort()
	c.taps.stop()
}

// Joined lists the durable joins of this node, also those that this process has not resumed.
func (c *Connection) Joined() []JoinInfo {
	var list []JoinInfo
	for _, j := range c.node.Store().Joins() {
		if !j.Ended {
			list = append(list, JoinInfo{Channel: j.Channel, Number: j.Number, Mode: modeOf(wire.Role(j.Role))})
		}
	}
	return list
}

// JoinInfo is one durable join.
type JoinInfo struct {
	Channel string
	Number  uint64
	Mode    Mode
}

// Leave ends a durable join by name, whether or not this process resumed it.
func (c *Connection) Leave(channel string) error {
	c.forget(channel)
	if err := c.node.Leave(channel); err != nil {
		return fmt.Errorf("leave channel %s: %w", channel, publicError(err))
	}
	return nil
}

// Channel returns a joined channel, nil if this process has not joined it.
func (c *Connection) Channel(name string) *Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.channels[name]
}

// publicError maps what the parts return to what callers match on.
func publicError(err error) error {
	if err == nil {
		return nil
	}
	for _, m := range errorMap {
		if errors.Is(err, m.from) {
			if errors.Is(err, m.to) {
				return err
			}
			return fmt.Errorf("%w: %w", m.to, err)
		}
	}
	return err
}

var errorMap = []struct{ from, to error }{
	{store.ErrNotWritable, ErrNotWritable},
	{store.ErrFull, ErrStorageFull},
	{store.ErrFailed, ErrStorage},
	{store.ErrClosed, ErrClosed},
	{node.ErrClosed, ErrClosed},
	{inbox.ErrClosed, ErrClosed},
	{node.ErrNotJoined, ErrLeft},
	{node.ErrNotReader, ErrRole},
	{node.ErrNoAnswer, ErrNoAnswer},
	{outbox.ErrUnknown, ErrUnknown},
	{inbox.ErrHandler, ErrHandler},
	{node.ErrRefused, ErrRefused},
	{store.ErrInUse, ErrStorageInUse},
	{store.ErrNewer, ErrStorageVersion},
	{store.ErrNodeID, ErrNodeID},
	{store.ErrTaken, ErrRename},
}

// Status is the node's own state.
type Status struct {
	Node, Store, Run string
	Connected        bool
	Settled          bool // every reader must have been heard of by now
	Uptime           time.Duration
	Conflict         error        // see Connection.Conflict
	Suspended        []Suspension // by node and channel
	Denied           []Denial     // by subject
	Storage          StorageTrouble
}

// StorageTrouble is what keeps the database from taking what it is given. Its zero value: nothing does. All but StorageBroken end by
// themselves when there is room again, or the disk can be written again: nothing has to be sent for that.
type StorageTrouble struct {
	Kind   StorageKind
	Reason string // and the way out
	For    time.Duration
}

// StorageKind is the kind of a StorageTrouble.
type StorageKind string

// The kinds of trouble.
const (
	StorageOK          StorageKind = ""
	StorageLimit       StorageKind = "max_size"  // StorageMaxSize is in use, and all of it is needed: sends are refused
	StorageDiskFull    StorageKind = "disk_full" // sends are refused
	StorageReserveUsed StorageKind = "reserve"   // the disk is full, and what was kept back for that is in use: sends are refused
	StorageReadOnly    StorageKind = "read_only" // the system does not let the database be written: sends are refused, and nothing is acknowledged
	StorageBroken      StorageKind = "failed"    // an error of the disk: see Failed
)

var storageKinds = map[store.Trouble]StorageKind{store.LimitReached: StorageLimit, store.DiskFull: StorageDiskFull, store.ReserveUsed: StorageReserveUsed,
	store.ReadOnly: StorageReadOnly, store.Broken: StorageBroken}

// StorageTrouble tells whether the database takes what it is given.
func (c *Connection) StorageTrouble() StorageTrouble {
	now := c.node.Store().Condition()
	return StorageTrouble{storageKinds[now.Trouble], now.Reason, now.For}
}

// Conflict is nil, or wraps ErrNodeIDTwice: another live instance has this node's id, and has a better claim to it or one that is as good. The instance
// that was there first goes on; of two that started together neither does. Until the other one is gone, this one neither sends to other nodes nor
// takes from them. Sends are accepted all the same: they are kept, and go out when it may go on.
func (c *Connection) Conflict() error {
	if why := c.node.Conflict(); why != "" {
		return fmt.Errorf("%w: %s", ErrNodeIDTwice, why)
	}
	return nil
}

// Suspension is a channel of which one reader gets nothing for now, although it could be reached: it refuses the channel, does not read
// this node's batches, or NATS does not let them pass. Its messages wait and it is tried again.
type Suspension struct {
	Node, Channel string
	Reason        string // and the way out
	For           time.Duration
}

// Denial is a subject other than that of data to a reader that NATS does not permit this node.
type Denial struct {
	Subject, Fix string
	For          time.Duration
}

// Status returns the node's own state.
func (c *Connection) Status() Status {
	run := c.node.Store().Run()
	s := Status{Node: c.NodeID(), Store: c.StoreID(), Run: hex.EncodeToString(run[:]), Connected: c.node.Connected(), Settled: c.node.Settled(), Uptime: c.node.Uptime(), Conflict: c.Conflict(), Storage: c.StorageTrouble()}
	for _, one := range c.node.Outbox().Suspensions() {
		s.Suspended = append(s.Suspended, Suspension(one))
	}
	for _, one := range c.node.Denials() {
		s.Denied = append(s.Denied, Denial(one))
	}
	return s
}
