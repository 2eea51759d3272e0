package engine

import (
	"errors"
	"fmt"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/node"
	"github.com/getevo/rmds-router/engine/internal/store"
)

// The errors a caller can act on. Every error the engine returns wraps one of these or comes from the operating system;
// match them with errors.Is.
var (
	// ErrClosed is returned by every call on a connection after Unsubscribe, and by a send that was under way when the store failed.
	ErrClosed = errors.New("the connection is closed")
	// ErrName means a node or channel name is not one token of 1 to 64 letters, digits, '-' and '_'.
	ErrName = errors.New("not a legal name")
	// ErrConfig means a configuration value cannot be used.
	ErrConfig = errors.New("bad configuration")
	// ErrRole means the channel was joined with a role that does not permit the call.
	ErrRole = errors.New("the role does not allow this")
	// ErrJoined means the node has already joined the channel.
	ErrJoined = errors.New("channel already joined")
	// ErrLeft means the channel was left with Unsubscribe, or its join was ended by a kick.
	ErrLeft = errors.New("the channel was left")
	// ErrTooLarge means a message is above MaxMessageSize. Nothing was stored.
	ErrTooLarge = errors.New("message too large")
	// ErrReaderFull means a reader's queue holds MaxMessagesPerReceiver messages and the overflow policy is to reject. Nothing was stored.
	ErrReaderFull = errors.New("a reader's queue is full")
	// ErrStorageFull means the disk, or StorageMaxSize, has no room. Nothing was stored; what is stored stays deliverable.
	ErrStorageFull = errors.New("storage is full")
	// ErrStorage means the database failed in a way that leaves the last transaction's outcome unknown. The connection stops
	// acknowledging and must be closed; opening it again reads what is durable.
	ErrStorage = errors.New("storage failed")
	// ErrStorageInUse means another process, or another connection in this one, has the database open.
	ErrStorageInUse = errors.New("the database is in use")
	// ErrCorrupt means the database is damaged where it cannot be opened without losing something.
	ErrCorrupt = store.ErrCorrupt
	// ErrNotDatabase means StoragePath names a file that is no database of this program. It was left as it is.
	ErrNotDatabase = store.ErrNotDatabase
	// ErrNotWritable means the database, or its folder, cannot be created or written. From a send: the disk has become read-only, and nothing was stored.
	ErrNotWritable = store.ErrNotWritable
	// ErrStorageVersion means the database was written by a newer version of this program.
	ErrStorageVersion = errors.New("the database is of a newer version")
	// ErrRenamed means the configured node id is one that was given up with RenameNode, or is part of a rename that has not ended.
	ErrRenamed = store.ErrRenamed
	// ErrRename means RenameNode cannot give the node this id: it has it already, or another database is in the way. Nothing was changed.
	ErrRename = errors.New("the node cannot have this id")
	// ErrNodeID means the configured node id is not the one the database belongs to.
	ErrNodeID = errors.New("the database belongs to another node id")
	// ErrNodeIDTwice means that another live instance has this node's id, and that this one neither sends nor takes data until it is gone; see
	// Connection.Conflict.
	ErrNodeIDTwice = errors.New("the node id is in use twice")
	// ErrHopLimit means a message has passed through HopLimit handlers and is refused to cut a loop.
	ErrHopLimit = errors.New("hop limit reached")
	// ErrStale means the attempt the message was handed over in has ended: another verdict was given, or its time ran out.
	ErrStale = errors.New("the attempt has ended")
	// ErrNoAnswer means another node did not answer an order in time; whether it obeyed is not known.
	ErrNoAnswer = errors.New("the node did not answer")
	// ErrRefused means another node answered that it could not obey an order.
	ErrRefused = errors.New("the node could not obey")
	// ErrUnknown means a context ended after the call was accepted and before its outcome was known: it may yet be stored. An error of a context that does not
	// wrap it says that nothing was stored.
	ErrUnknown = errors.New("the outcome is not known")
	// ErrHandler means a handler had not returned when Close ran out of time.
	ErrHandler = errors.New("a handler is still running")
	// ErrConsumer means the channel already has a consumer of another kind.
	ErrConsumer = errors.New("the channel already has a consumer")

	// ErrNoJournal means the channel was joined without Journal.
	ErrNoJournal = errors.New("the channel keeps no journal")

	// ErrReplaying means that a replay of the channel, or a join that takes its place, is being put on record at this moment.
	ErrReplaying = node.ErrReplaying

	// ErrNoDeadLetter means there is no dead letter with this id, or it was redriven or dropped meanwhile.
	ErrNoDeadLetter = inbox.ErrNoLetter
	// ErrDeadLetterBusy means the same dead letter is being redriven or dropped by somebody else at this moment.
	ErrDeadLetterBusy = inbox.ErrLetterBusy
	// ErrNoConsumer means nothing on this node handles the dead letter's channel now: join it and attach a handler first.
	ErrNoConsumer = inbox.ErrNoConsumer
	// ErrStillDead means a redriven message was not handled: it stays a dead letter, with the new reason.
	ErrStillDead = inbox.ErrStillDead
	// ErrHeld means the handler gave no verdict on a redriven message. Nothing has changed.
	ErrHeld = inbox.ErrHeld
	// ErrDeadLetterCorrupt means a dead letter's message cannot be decoded. It can only be dropped.
	ErrDeadLetterCorrupt = inbox.ErrLetterCorrupt
)

func errName(kind, name string) error {
	return fmt.Errorf("%s name %q: %w: use 1 to 64 letters, digits, '-' or '_'", kind, name, ErrName)
}
