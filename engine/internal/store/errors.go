package store

import "errors"

var (
	// ErrClosed is the outcome of work that was not written because the store was closed or aborted.
	ErrClosed = errors.New("the store is closed")
	// ErrFailed means the database failed and it is unknown whether the work was written. The store writes nothing more.
	ErrFailed = errors.New("the store has failed")
	// ErrFull means the disk or Options.MaxSize has no room. Nothing of the Tx was written.
	ErrFull = errors.New("no room in the store")
	// ErrInvalid means a Tx holds something that cannot be stored. Nothing of it was written.
	ErrInvalid = errors.New("cannot be stored")

	// ErrInUse means another process, or another Store in this one, has the database open.
	ErrInUse = errors.New("the database is in use")
	// ErrNewer means the database was written by a newer version of this program.
	ErrNewer = errors.New("the database is of a newer version")
	// ErrNodeID means Options.NodeID is not the node the database belongs to, or is missing for a new database.
	ErrNodeID = errors.New("wrong node id")
	// ErrNotDatabase means the file exists and is not a database of this program.
	ErrNotDatabase = errors.New("not a database of this program")
	// ErrNotWritable means the database, or its folder, cannot be created or written. As the outcome of work: nothing of it was written.
	ErrNotWritable = errors.New("not writable")
	// ErrRenamed means the database was moved to another node id's path, or a rename that moves it has not ended.
	ErrRenamed = errors.New("the node was renamed")
	// ErrTaken means there is something where a renamed database would go.
	ErrTaken = errors.New("the name is taken")
	// ErrCorrupt means the database is damaged.
	ErrCorrupt = errors.New("the database is damaged")
)

// CorruptError reports a batch whose bytes at rest are damaged while its place in the log is known. It matches ErrCorrupt.
type CorruptError struct {
	Batch Batch // without Blob
	Cause error
}

func (e *CorruptError) Error() string {
	return "batch of channel " + e.Batch.Channel + " is damaged: " + e.Cause.Error()
}

// Is makes a CorruptError match ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }
