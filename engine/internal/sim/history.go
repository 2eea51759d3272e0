package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Kind is what an Event tells.
type Kind uint8

// The kinds of events. Each names the fields of Event that it sets beside At, Kind and Node.
const (
	Started    Kind = iota + 1 // Run, Note, Cross, Ordered: a node came up; Note says how it went down before
	Stopped                    // Run, Note
	RolledBack                 // Since, Wiped: the node's disk is as it was at that event
	Trouble                    // Note: something failed that no fault explains

	Invoked  // Run, Channel, Key, Readers, Joins, Expires: a send, or an emit of a handler, begins
	Accepted // Channel, Key: it is durable
	Refused  // Channel, Key: nothing was stored
	Unknown  // Channel, Key: it may have been stored

	Handed   // Run, Channel, Sender, Key, ID, Seq, Attempt, Broken, Redrive: a handler is called
	Returned // Run, Channel, ID: it returned
	Acked    // Run, Channel, Sender, Key, ID: verdicts, as they are given
	Retried
	Rejected
	Withdrawn // ID: the verdict came too late and does not count
	Held      // there is no verdict, for what the handler needs is away; nothing is counted

	Joined // Run, Channel, Count: the node's join to a channel goes on, or begins; its number
	Left   // Channel, Count: that join may end from now on
	Purged // the node's queue may be emptied until now

	Redriven // Run, Channel, Sender, Key, ID: a dead letter is durably handled

	Resumed // Run, Channel, Sender, Seq, Count: a place at the start of a run: its sequence, and how many messages it counts as handled
	Audited // Channel, Sender, Claim, Count: Sender claims that Node handled Claim messages; Node has Count durably
)

var kindNames = [...]string{"", "started", "stopped", "rolled back", "trouble", "invoked", "accepted", "refused", "unknown", "handed", "returned", "acked", "retried",
	"rejected", "withdrawn", "held", "joined", "left", "purged", "redriven", "resumed", "audited"}

func (k Kind) String() string { return kindNames[k] }

// Event is one thing that happened.
type Event struct {
	At      time.Duration
	Kind    Kind
	Node    string // where
	Run     int    // which start of the node, from 1
	Channel string
	Sender  string
	Key     string // the message as the simulation names it
	ID      string // the message as the engine names it
	Seq     uint64
	Attempt int
	Count   uint64
	Claim   uint64
	Since   int      // an index in the history
	Readers []string // who was on record as a reader
	Joins   []uint64 // their joins
	Note    string
	Broken  bool // what was handed over is not what the key stands for
	Cross   bool // the run took up all its channels at once
	Ordered bool // the node has always sent in one order over all channels
	Wiped   bool // the disk was put back to nothing
	Expires bool // the message has a time to live
	Redrive bool // it is a dead letter that is handed over once more; also of its verdicts
}

func (e *Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%12v %-9s %s", e.At.Round(time.Millisecond), e.Kind, e.Node)
	add := func(name string, v any) {
		switch v {
		case "", uint64(0), 0, false:
		default:
			fmt.Fprintf(&b, " %s=%v", name, v)
		}
	}
	add("run", e.Run)
	add("channel", e.Channel)
	add("sender", e.Sender)
	add("key", e.Key)
	add("seq", e.Seq)
	add("attempt", e.Attempt)
	add("count", e.Count)
	add("claim", e.Claim)
	add("since", e.Since)
	add("readers", strings.Join(e.Readers, ","))
	add("note", e.Note)
	add("broken", e.Broken)
	add("redrive", e.Redrive)
	if e.ID != "" {
		fmt.Fprintf(&b, " id=…%s", e.ID[max(len(e.ID)-12, 0):])
	}
	return b.String()
}

// Account is a sender's account of one reader, with what the reader says of the same, at the end.
type Account struct {
	Sender, Reader, Channel string
	Join                    uint64
	Accepted                uint64
	Said, Has               Totals // by the sender's record; by the reader's
	Removed, Pending        uint64
	Ended                   bool
}

// Totals count how messages ended.
type Totals struct{ Handled, Dead, Expired, Pruned, Other uint64 }

func (t Totals) sum() uint64 { return t.Handled + t.Dead + t.Expired + t.Pruned + t.Other }

// Final is how the nodes were when everything was healed and quiet.
type Final struct {
	Undrained string // what was not quiet; empty: nothing
	Accounts  []Account
	// State tells how often each handled message's effect is in a node's state: node, channel, key.
	State map[string]map[string]map[string]int
	// Sums is what the plugins of each node and channel have counted.
	Sums map[string]map[string]int
	// Journals are what those that a node keeps hold in the end.
	Journals []Journal
}

// Journal is what a node received on a channel, as it says.
type Journal struct {
	Node, Channel string
	Holes         bool // there may be some: its disk was full once
	Entries       []Entry
}

// Entry is one message of a journal.
type Entry struct {
	Sender, Key, ID string
	Seq             uint64
	Broken          bool // it is not what the key stands for
}

// Reading says what a node does with a channel that it reads.
type Reading struct {
	Node, Channel string
	Effects       bool // its handler counts messages in the state, and emits one for each if EmitTo is set
	EmitTo        string
	Parallel      int // how many messages its handler may see at a time, each of another sender; 0: 1
}

// History is all that a simulation saw. Its methods are safe for concurrent use.
type History struct {
	Readings []Reading
	Attempts int // the most a message gets
	Final    Final

	mu     sync.Mutex
	start  time.Time
	Events []Event
}

// NewHistory returns an empty history that begins now.
func NewHistory() *History { return &History{start: time.Now()} }

func (h *History) add(e Event) int {
	e.At = time.Since(h.start)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Events = append(h.Events, e)
	return len(h.Events) - 1
}

// About lists the events that mention a text, for people.
func (h *History) About(texts ...string) string {
	var b strings.Builder
	for i := range h.Events {
		line := h.Events[i].String()
		for _, t := range texts {
			if strings.Contains(line, t) {
				fmt.Fprintf(&b, "#%d %s\n", i, line)
				break
			}
		}
	}
	return b.String()
}

// emitKey names what a node emits because of a message.
func emitKey(node, cause string) string { return "e/" + node + "/" + cause }
