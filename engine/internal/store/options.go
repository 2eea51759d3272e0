package store

import (
	"crypto/rand"
	"fmt"
	"time"
)

// Defaults of Options.
const (
	DefaultTailBytes     = 32 << 20
	DefaultBatchMessages = 4096
	DefaultBatchBytes    = 64 << 10
	DefaultReserve       = 16 << 20
	DefaultLargeBatch    = 1 << 20
)

// BatchHead is what a batch says of itself outside of its body.
type BatchHead struct {
	Run              ID
	Channel          string
	First, Last      uint64
	Prev             uint64 // the channel's last sequence before First; 0: none
	Earliest, Latest int64  // as in Batch
}

// Options say where the database is and how it is kept. Path and Seal are needed; zero values of the rest mean the default.
type Options struct {
	Path   string
	VFS    string // a registered SQLite VFS; "" is the operating system
	Sync   string // "full" (default): commits survive a power cut; "normal": only the end of the process
	NodeID string // "" takes the database's; a new database needs one

	NewID   func() ID            // draws store and run ids; default: cryptographically random
	Elapsed func() time.Duration // monotonic time since some start
	Wall    func() time.Time     // the wall clock, for display only

	TailBytes     int   // the newest batches kept in memory, in bytes of their blobs
	BatchMessages int   // a batch takes no further segment past this many messages
	BatchBytes    int   // or past this many bytes of body
	MaxSize       int64 // bytes of the database file, without its write-ahead log; 0: as the disk allows
	Reserve       int64 // bytes of the file kept back for a full disk; negative: none

	// Seal encodes a batch. It is called by the writer for each batch, must keep none of the segments, and returns bytes that
	// nobody writes to again.
	Seal func(head BatchHead, segments [][]byte) []byte
	// SealHead, if set, encodes only what stands before the segments in the blob of a batch above LargeBatch, which then is written, and
	// read again, bit by bit, and never lies in memory as a whole. The segments follow it as they are.
	SealHead func(head BatchHead, segments [][]byte) []byte
	// LargeBatch is in bytes of a batch's body.
	LargeBatch int
	// Check verifies a blob that was read back from disk. Default: no check.
	Check func(blob []byte) error
	// OnAppend is called by the writer with the batches of each commit once they are durable, before the Done callbacks. It must
	// not block and must not keep the slice.
	OnAppend func([]Batch)

	// OnCommit, if set, is called by the writer after each commit, before OnAppend, with how long it took. It must not block.
	OnCommit func(took time.Duration, batches []Batch)

	// OnCondition, if set, is called by the writer when Condition has changed. It must not block.
	OnCondition func()

	// OnDamage is called by the writer when pruning comes upon a damaged batch, which is then kept. It must not block.
	OnDamage func(Damage)

	PerChannel bool // a commit gathers the segments of each channel; else a change of channel starts the next batch
	NoLock     bool // no lock file: simulations

	checkpointPages int // tests: a checkpoint is due at this many pages of write-ahead log
}

func (o *Options) setDefaults() error {
	if o.Path == "" || o.Seal == nil {
		return fmt.Errorf("open store: %w: Path and Seal are needed", ErrInvalid)
	}
	switch o.Sync {
	case "":
		o.Sync = "full"
	case "full", "normal":
	default:
		return fmt.Errorf("open store: %w: sync %q is neither full nor normal", ErrInvalid, o.Sync)
	}
	if o.NewID == nil {
		o.NewID = randomID
	}
	if o.Elapsed == nil {
		start := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(start) }
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.OnDamage == nil {
		o.OnDamage = func(Damage) {}
	}
	if o.Check == nil {
		o.Check = func([]byte) error { return nil }
	}
	o.TailBytes = orDefault(o.TailBytes, DefaultTailBytes)
	o.BatchMessages = orDefault(o.BatchMessages, DefaultBatchMessages)
	o.BatchBytes = orDefault(o.BatchBytes, DefaultBatchBytes)
	o.LargeBatch = orDefault(o.LargeBatch, DefaultLargeBatch)
	if o.Reserve == 0 {
		o.Reserve = DefaultReserve
	}
	return nil
}

func orDefault(v, d int) int {
	if v <= 0 {
		return d
	}
	return v
}

func randomID() (id ID) {
	// Since Go 1.24 Read never fails: it ends the process when the system has no randomness.
	_, _ = rand.Read(id[:])
	return id
}
