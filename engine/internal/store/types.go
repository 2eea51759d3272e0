package store

// ID is a store id or a run id: 128 random bits.
type ID = [16]byte

// Run is one start of the process that wrote to the log, and the first sequence it wrote.
type Run struct {
	ID    ID
	First uint64
}

// Batch is one row of the log: consecutive messages of one channel, encoded once and never changed.
type Batch struct {
	Run         ID
	Channel     string
	First, Last uint64
	Prev        uint64 // the channel's last sequence before First; 0: none
	Before      uint64 // how many messages the channel had before First, ever
	Earliest    int64  // earliest expiry, engine milliseconds; 0: none expires
	Latest      int64  // latest expiry; 0: at least one never expires
	Blob        []byte // as it travels; shared, never to be written. nil for a batch above Options.LargeBatch: ReadBlob has it
	Size        int    // of the blob, in bytes
}

// Count is the number of messages in the batch.
func (b *Batch) Count() uint64 { return b.Last - b.First + 1 }

// Head is the newest state of a channel's log.
type Head struct {
	Last     uint64 // the channel's last durable sequence; 0: none
	Total    uint64 // how many messages the channel has had, ever
	OpenFrom uint64 // the oldest sequence kept for readers yet to come; 0: none
	// OpenTotal is how many messages the channel had before OpenFrom.
	OpenTotal uint64
	Floor     uint64 // everything of the channel up to here has been pruned; 0: nothing
}

// Totals count how the messages of a join ended.
type Totals struct {
	Handled, Dead, Expired, Purged, Overflow, Pruned, Corrupt uint64
}

// Sum is how many messages have come to an end.
func (t *Totals) Sum() uint64 {
	return t.Handled + t.Dead + t.Expired + t.Purged + t.Overflow + t.Pruned + t.Corrupt
}

// Segment is a run of encoded messages to append to a channel. The store joins consecutive segments of a channel into batches.
type Segment struct {
	Channel          string
	Count            int
	Body             []byte
	Earliest, Latest int64
	Open             bool   // keep it for readers yet to come: sets the channel's open mark if there is none
	First            uint64 // set by the writer before Done: the sequence of its first message; the others follow without a hole
}

// Reader is the sender's record of one reader's join to a channel.
type Reader struct {
	Store    ID
	Node     string
	Channel  string
	Join     uint64
	Start    uint64 // it gets the sequences above this one
	Position uint64 // everything up to here is at its end; what the reader reported last
	// StartTotal and Done are how many messages the channel had up to Start and up to Position, ever; EndTotal is how many it had
	// when the join ended, or when another store took its place over.
	StartTotal, Done, EndTotal uint64
	Totals                     Totals
	Removed                    uint64 // what was pending when the join ended
	// Beyond is how many more messages the reader counts than this log holds up to its place: after the log was restored from an old
	// copy, those that it had of what is not there any more. A session's first report sets it, and those of a reader that has not got
	// through with what was lost.
	Beyond int64
	Ended  bool // it gets nothing now
	// Replaced, with Ended, means that its node came with another store, which goes on at its place. Nothing counts as removed, and the
	// join comes back when its store does.
	Replaced bool
	Proof    ID // what the reader gave to prove its join to itself (see Store.Prove); zero: nothing yet

	forgotten bool // the row goes with this transaction
}

// Accepted is how many messages the join was given, ever; head is the channel's.
//
// At all times, for each row: Accepted = Totals.Sum() + Removed + Pending, for Totals.Sum() is Done - StartTotal + Beyond: the reader
// reports position and totals together, and they are stored together. A reader that was restored from an old copy reports an older
// position and the totals of that time: Done and Totals go back by the same number, and what is between is pending again.
func (r *Reader) Accepted(head Head) uint64 {
	if r.Ended {
		return r.EndTotal - r.StartTotal + uint64(r.Beyond)
	}
	return head.Total - r.StartTotal + uint64(r.Beyond)
}

// Settle makes Beyond what the report of a session's beginning implies.
func (r *Reader) Settle() { r.Beyond = int64(r.Totals.Sum() - (r.Done - r.StartTotal)) }

// Counted is how many messages the channel had up to the reader's place, ever, going by the reader's own counts: for places in a part of
// the log that is gone.
func (r *Reader) Counted(totals Totals) uint64 {
	return uint64(max(int64(r.StartTotal+totals.Sum())-r.Beyond, int64(r.StartTotal)))
}

// Pending is how many messages of the join have not come to an end; head is the channel's.
func (r *Reader) Pending(head Head) uint64 {
	if r.Ended {
		return 0
	}
	return head.Total - r.Done
}

// Position is the receiver's durable place in one sender's log, for one of its joins.
type Position struct {
	Sender  ID
	Node    string // the sender's node id when it was last moved
	Channel string
	Join    uint64
	Run     ID
	Seq     uint64
	Totals  Totals
	Older   []RunPosition // its places in earlier runs of that sender, newest first
}

// RunPosition is the last sequence of a run that was handled.
type RunPosition struct {
	Run ID
	Seq uint64
}

// Join is this node's own subscription to a channel.
type Join struct {
	Channel string
	Number  uint64
	Role    uint8 // wire.Role
	Replay  bool  // it began with a replay
	Ended   bool
}

// Start says where a new reader of a channel begins.
type Start uint8

const (
	StartOpen Start = iota // at the open mark, else at the head
	StartHead              // at the head
	StartAll               // at the oldest batch still in the log
)

// Tx is one atomic unit of work; its parts are applied in this order: Readers, Joins, Skips, Closed, Segments, Progress, State,
// Unbury, Revive, Rebury, Audit. The caller must not touch it, or what it refers to, between Submit and Done. The writer puts as many as are queued into one SQLite transaction, in the order of their submission,
// commits it durably, and then calls each one's Done from its own goroutine.
type Tx struct {
	// Take, if set, is called once by the writer when it takes the Tx, and returns segments to append after those in Segments.
	// It lets a sender go on gathering messages until the writer is free.
	Take     func() []Segment
	Segments []Segment
	State    []StateChange
	Progress []Progress
	Readers  []ReaderChange
	Joins    []Join // inserted or replaced by (Channel, Number)
	Skips    []SkipRange
	Damaged  []Damage     // batches found damaged: they are kept
	Closed   []string     // channels whose open mark ends
	Unbury   []int64      // dead letters to delete: dismissed, or handled after all, with a Progress that says so
	Revive   []int64      // dead letters to delete that were handled after all: each moves one from dead to handled where it was counted
	Rebury   []DeadLetter // dead letters tried again in vain: by ID, with their new Reason, Attempts and Wall
	Audit    []AuditEntry
	// Done is told the outcome: nil once durable; ErrFull when nothing of it was written; ErrFailed when the outcome is unknown.
	// It must not block. It is called exactly once: by the writer, or within Submit when the store is closed already.
	Done func(err error)
	// Must marks work that has to be written before later work (verdicts, joins): when the disk is full the writer keeps it
	// and tries again, in order, instead of failing it.
	Must bool
}

// StateChange sets (or, with a nil Value, deletes) one key of a namespace.
type StateChange struct {
	Namespace string
	Key       []byte
	Value     []byte
}

// Progress moves the receiver's durable place and counts, records an attempt, or both.
type Progress struct {
	Sender  ID
	Node    string // the sender's node id, for people
	Channel string
	Join    uint64
	Run     ID
	Seq     uint64 // the new position; 0: position and totals unchanged
	Totals  Totals // the new totals, not a difference
	Attempt *Attempt
	Dead    []DeadLetter
	Journal []Received // batches that the position moves into or past; left out while the store has no room
	Bad     []BadBatch // batches that the position moves past because they came damaged
}

// Attempt is how often the message after a position has been tried.
type Attempt struct {
	Run   ID
	Seq   uint64
	Count int
}

// DeadLetter is a message given up on, with everything needed to look at it and to try it again.
type DeadLetter struct {
	ID       int64 // given by the store
	Sender   ID
	Node     string
	Channel  string
	Join     uint64 // this node's join that it counts as dead for
	Run      ID
	Seq      uint64
	Reason   string
	Attempts int
	Wall     int64  // when it was given up, Unix milliseconds
	Message  []byte // one encoded message (a segment body of one); nil in lists
	Size     int    // bytes of Message
}

// DeadLetterQuery chooses dead letters; the zero value of a field leaves it out.
type DeadLetterQuery struct {
	Channel string
	Node    string // the sender's node id
	After   int64  // ids above this one
	Through int64  // ids up to this one
	Limit   int    // how many, the lowest ids first
}

// ReaderChange adds, moves or ends a reader, or names one anew. Exactly one of the pointers is set.
type ReaderChange struct {
	Add  *AddReader
	Move *MoveReader
	End  *EndReader
	Name *NameReader
}

// AddReader records a new join. If the same node has the channel under another store, that one's place is taken over and its row is
// replaced; a replaced join that is added again takes its own place back. A join that is known otherwise stays as it is, and so does one with
// a number below that of a join known of the same store; a higher number ends the older join.
type AddReader struct {
	Store   ID
	Node    string
	Channel string
	Join    uint64
	Start   Start
	Replay  bool // start at the oldest batch still in the log, if the store, or its node, is on record for the channel already
}

// MoveReader stores what a reader reported. Position may also go back, but before Start only if it opens a session, and then Start goes
// back with it; one past the channel's head counts as the head. It changes nothing on a join that is unknown or has ended.
type MoveReader struct {
	Store    ID
	Channel  string
	Join     uint64
	Position uint64
	Totals   Totals
	Proof    ID   // see Reader; zero: as it is
	Opens    bool // it opens a session, or is of what the log has lost: the reader's word counts also where it does not agree with what is on record
}

// NameReader puts on record that a store's node has another id now: all its joins stay what they are.
type NameReader struct {
	Store ID
	Node  string
}

// EndReader ends a join for good: what was pending counts as removed, and a later AddReader with the same or a lower join number
// changes nothing. A join that is not known is recorded as ended.
type EndReader struct {
	Store   ID
	Channel string
	Join    uint64
}

// Damage is a batch that cannot be read back as it was written.
type Damage struct {
	First uint64 // its first sequence
	Cause string
}

// SkipRange ends messages without delivering them, for one reader or (zero Store) for all.
type SkipRange struct {
	Store    ID
	Channel  string
	Join     uint64
	From, To uint64
	Reason   uint8 // wire.Reason
}

// AttemptAt is the attempt recorded for one of this node's joins to a sender's channel.
type AttemptAt struct {
	Channel string
	Join    uint64
	Attempt
}

// Pair is a key of a namespace and its value.
type Pair struct {
	Key, Value []byte
}

// Usage is how much room the database file takes.
type Usage struct {
	Bytes int64 // the file
	Free  int64 // of it, free for reuse
	Tail  int64 // batches held in memory
}
