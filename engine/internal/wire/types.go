package wire

// ID is a store id or a run id: 128 random bits.
type ID = [16]byte

// Position names one sequence of a sender's log: the run that wrote it and its number. The zero Position lies before every message.
type Position struct {
	Run ID
	Seq uint64
}

// Session names one attempt at streaming: the sender's run and a counter that grows within it.
type Session struct {
	Run     ID
	Counter uint64
}

// Reason says why a range of messages is skipped instead of delivered.
type Reason uint8

// The reasons, as they stand on the wire and in the log.
const (
	Expired Reason = iota + 1
	Purged
	Overflow
	Pruned
	Corrupt
)

func (r Reason) String() string {
	switch r {
	case Expired:
		return "expired"
	case Purged:
		return "purged"
	case Overflow:
		return "overflow"
	case Pruned:
		return "pruned"
	case Corrupt:
		return "corrupt"
	}
	return "unknown"
}

// Skip ends the messages From to To (both included) of a channel for a reader without delivering them.
type Skip struct {
	From, To uint64
	Count    uint64 // how many messages of the channel lie in the range
	Reason   Reason
}

// Header is one name and value that travel with a message. Names may repeat; order is kept.
type Header struct {
	Name, Value string
}

// Cause names the message whose handling emitted this one, and which of its emits it was. The pair is the emit's deterministic id.
type Cause struct {
	Store ID
	Run   ID
	Seq   uint64
	Index uint32
}

// Message is one message of a batch. Its sequence follows from its place in the batch.
type Message struct {
	Engine  int64 // the sender's engine time when it was accepted, in milliseconds
	Wall    int64 // the sender's wall clock then, in Unix milliseconds; for display only
	TTL     int64 // milliseconds from Engine to its expiry; 0: never
	Hops    uint32
	Cause   *Cause // nil unless a handler emitted it
	Headers []Header
	Data    []byte
}

// BatchHead is what a batch says of itself outside of its (compressed) body. Its messages have the sequences First to Last without a hole.
type BatchHead struct {
	Run         ID
	Channel     string
	First, Last uint64
	Prev        uint64 // the channel's last sequence before First; 0: none
	Earliest    int64  // the earliest expiry in engine time; 0: no message expires
	Latest      int64  // the latest expiry in engine time; 0: at least one message never expires
}

// Carried is a batch in a data frame: its bytes, and which sequences it holds, which the frame says too. So a batch that is damaged is known
// by name.
type Carried struct {
	First, Last uint64
	Blob        []byte
}

// Count is the number of messages that the batch holds.
func (c *Carried) Count() uint64 { return c.Last - c.First + 1 }

// Piece says that a frame carries Data, the bytes from Offset on of a single batch of Total bytes, instead of whole batches. The batch holds
// the sequences from First to the frame's Last.
type Piece struct {
	First         uint64
	Offset, Total uint64
	Data          []byte
}

// Open asks a receiver for its positions and announces what the session will carry. Nothing else is sent before its answer.
type Open struct {
	SenderStore   ID
	Session       Session
	ReceiverStore ID
	ReceiverRun   ID
	Scope         string // "": all channels in one order; else the one channel
	EngineNow     int64
	Channels      []OpenChannel
}

// OpenChannel is one channel of a session and the reader's join to it that the sender knows.
type OpenChannel struct {
	Name  string
	Join  uint64
	Proof ID // in an Open: what the reader gave when it answered for the join; zero: nothing. Other frames do not carry it
}

// Data carries the messages (Prev, Last] of one channel for one reader. Batches lie in ascending order and may begin before Prev;
// Skips may lie inside a batch. Number counts the frames of a session from 1, across channels.
type Data struct {
	Session     Session
	ReceiverRun ID
	Number      uint64
	Channel     string
	Join        uint64
	Prev        Position // where the frame begins: usually the Last of the channel's frame before it
	Run         ID       // the run of every sequence in (Prev, Last]
	Last        uint64
	EngineNow   int64
	Skips       []Skip
	Batches     []Carried
	Piece       *Piece
}

// State is what a receiver says of a session.
type State uint8

// The states, as they stand on the wire.
const (
	OK      State = iota + 1
	Gap           // a frame is missing: resume after Received
	Working       // a handler is busy; not a sign of life lost
	Blocked       // the receiver cannot take or commit more for now
	Refused       // the channel named is refused, for the reason given
	Left          // the join named has ended
	Unknown       // the session is not known here: open a new one
)

// Totals count how the messages of a join ended at the receiver, since the join began.
type Totals struct {
	Handled, Dead, Expired, Purged, Overflow, Pruned, Corrupt uint64
}

// Status is the one frame from receiver to sender. Everything in it is a total, never a difference, so losing or repeating one does no harm.
type Status struct {
	ReceiverStore ID
	ReceiverRun   ID
	SenderStore   ID
	Session       Session
	State         State
	Opened        bool   // the answer to an Open: Channels lists every channel asked for, with its committed positions per run
	Channel       string // for Refused and Left
	Reason        string // for Refused and Blocked
	Received      uint64 // the number of the last frame taken in order
	Channels      []StatusChannel
}

// StatusChannel is the receiver's durable word on one join.
type StatusChannel struct {
	Name      string
	Join      uint64
	Committed []Position // newest run first; one entry but in the answer to an Open
	Received  Position   // taken into memory, in order; never an ack
	Piece     uint64     // bytes of the batch after Received that have been taken
	Totals    Totals
	State     State // OK, Refused or Left in the answer to an Open
	Proof     ID    // in the answer to an Open: by which the receiver knows the join again
}

// Role is what a node does on a channel.
type Role uint8

// The roles, as they stand on the wire.
const (
	Reader Role = 1 << iota
	Writer
	Both = Reader | Writer
)

// Announcement tells the network that a node lives and what it does.
type Announcement struct {
	Node     string
	Store    ID
	Run      ID
	Version  string   // of the program, for people
	Batches  Versions // those it reads
	Ask      bool     // the others should answer with theirs
	Goodbye  bool     // the node is leaving the network in order
	Serial   uint64   // grows with every announcement of the run: an overtaken one is not heeded
	Uptime   int64    // seconds
	Claim    uint8    // how well founded this instance's claim to the node id is, at most MaxClaim; as it was when a conflict over it began
	Fenced   bool     // the claim is not settled, or another instance's is better: this one neither sends nor takes data
	Rival    ID       // the run of another live instance of the same node id, which this announcement answers; zero: none
	Channels []AnnouncedChannel
	Left     []OpenChannel // joins that have ended
}

// MaxClaim is the best claim to a node id: 0 is none, 1 that nobody answered to it, 2 that nobody has for a long time.
const MaxClaim = 2

// AnnouncedChannel is one channel of an announcement.
type AnnouncedChannel struct {
	Name  string
	Join  uint64
	Role  Role
	Ready bool // a consumer is attached: a lane may open
	// Replay says that the join, of a reader, began for the sake of what its senders still keep: it starts at the oldest of that.
	Replay bool
}
