package plugins

import (
	"fmt"
	"time"
)

// Message is what a call is about. The host keeps no part of it past the Outcome's Settle and changes none.
type Message struct {
	ID, Channel, Sender string
	Body                []byte
	Headers             []Header
	Created, Expires    int64 // unix milliseconds; Expires 0 means never
	Seq                 uint64
	Attempt             int // 1 at the first
	LastError           string
}

// Header is a name with a value; both are bytes to the host.
type Header struct{ Name, Value string }

// Verdict is what a call says about its message.
type Verdict uint8

// The verdicts.
const (
	Pass  Verdict = 0 // go on, as modified; a handler's ack. Effects are to be committed.
	Ack           = Pass
	Drop  Verdict = 1 // filters: handled, goes no further. Effects are to be committed.
	Retry Verdict = 2 // try again after RetryAfter, or the usual interval
	Dead  Verdict = 3 // to the dead letters, with Reason
	Fault Verdict = 4 // the guest failed: trap, exit, time-out, or a result that is no verdict
)

// String is the verdict's name in logs and metrics.
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Drop:
		return "drop"
	case Retry:
		return "retry"
	case Dead:
		return "dead"
	case Fault:
		return "fault"
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// Outcome is what a call came to.
//
// Settle and Release must each be called exactly once. A stateful plugin takes no other call until Release, so that commits can follow
// the order of calls: call it when the effects have their place in the commit order. Settle(nil) says that they are durable; Settle(err)
// that they are not and will not be: then every outcome that was issued later, and any call under way, is void, because it may have
// read what never became true. A void outcome must not be committed (see Void), and its Settle gets an error too.
type Outcome struct {
	Verdict    Verdict
	Reason     string        // what the guest said with fail, or the fault
	RetryAfter time.Duration // with Retry; 0 means the usual interval

	// The message as a filter left it; set by Filter with verdict Pass. Changed tells whether any of them differs from what came in.
	Body    []byte
	Headers []Header
	Channel string
	Changed bool

	Effects Effects // empty unless the verdict is Pass or Drop

	turn *turn // nil unless the plugin is stateful
}

// Settle says what became of the effects.
func (o *Outcome) Settle(err error) {
	if o.turn != nil {
		o.turn.settle(err)
	}
}

// Release lets the plugin take its next call.
func (o *Outcome) Release() {
	if o.turn != nil {
		o.turn.release()
	}
}

// Void tells whether an earlier outcome's commit failed, so that this one must not be committed and its message has to be called again. Ask it in the
// order of commits: before the transaction, with no earlier Settle outstanding that might still fail.
func (o *Outcome) Void() bool { return o.turn != nil && o.turn.void.Load() }

// Effects are what a call wants done. Bytes are the caller's: nothing else refers to them.
type Effects struct {
	Emits []Emit
	State []StateChange // at most one for a key
}

// Empty tells whether there is nothing to commit.
func (e Effects) Empty() bool { return len(e.Emits) == 0 && len(e.State) == 0 }

// Emit is a message to send. TTL 0 means the channel's usual expiry, Delay 0 means at once.
type Emit struct {
	Channel    string
	Body       []byte
	Headers    []Header
	TTL, Delay time.Duration
}

// StateChange sets a key of the plugin's namespace; a nil Value deletes it, an empty one does not.
type StateChange struct{ Key, Value []byte }

// State is where a plugin's durable keys are read from; the namespace is the plugin's name. Reads see only what is durable. It is called by several
// goroutines. The host does not change the bytes it gets, and they must not change afterwards. An error ends the call with verdict Retry.
type State interface {
	Get(namespace string, key []byte) (value []byte, ok bool, err error)
	// Next is the smallest key above after in byte order; after nil gives the first.
	Next(namespace string, after []byte) (key []byte, ok bool, err error)
}

// Kind is a bit set of what a plugin can be used as.
type Kind uint8

// The kinds.
const (
	Filters Kind = 1 << iota
	Handles
	Ticks
	Command // a WASI program, run once for each message; comes with Filters and Handles
)

// Stats are counts since Load.
type Stats struct {
	Calls                          uint64 // of Filter, Handle and Tick that reached the guest; the sum of the next five
	Passed, Dropped, Retried, Dead uint64
	Faults                         uint64
	Instances, Discarded           uint64 // made, and thrown away after a fault or a failed commit
	LinesDropped                   uint64 // log lines over the rate or size limit
	Custom                         map[string]int64
}
