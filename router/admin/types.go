// Package admin is the router's HTTP API on the loopback interface, and the client that the commands reach it with.
//
// Requests whose Host is not a loopback name, or that come from a page of another origin, are refused, so that no web page
// in a browser on this machine can use it. Errors are problem documents as in RFC 9457.
package admin

import (
	"context"
	"encoding/json"
	"time"
)

// Router is what the API needs of a router.
type Router interface {
	Network
	// Status never blocks for long and never fails.
	Status() Status
	// Ready says why the router cannot take messages, or nil. An error that it returns ends by itself or with the process.
	Ready() error
	// Send returns once the message is durable.
	Send(ctx context.Context, channel string, m Outgoing) (Receipt, error)
	// Watch calls f with every message that this node sends or handles on the channel until stop is called, and how many it
	// left out before this one. f must not block.
	Watch(channel string, f func(e Event, lost int64)) (stop func(), err error)
	// DeadLetters lists dead letters in the order of their ids, without their messages.
	DeadLetters(f DeadLetterFilter) ([]DeadLetter, error)
	// DeadLetterMark tells the letters there are now from those that come later.
	DeadLetterMark() (string, error)
	// DeadLetter returns one with its message.
	DeadLetter(id string) (*DeadLetter, error)
	// Redrive tries one once more and returns when the outcome is durable; nil: it was handled.
	Redrive(ctx context.Context, id string) error
	// DropDeadLetter deletes one for good.
	DropDeadLetter(id string) error
	// DamagedBatches lists what is damaged, in this node's own log and as it came.
	DamagedBatches() ([]DamagedBatch, error)
	// Queues lists what waits for readers. Pending lists messages of one queue with sequences above after.
	Queues() []Queue
	Pending(channel, reader string, after uint64, limit int) ([]Event, error)
	// Journal reads a page of what a channel's journal holds, and tells whether there is more.
	Journal(channel string, q JournalQuery) (list []Event, more bool, err error)
	Plugins
}

// Status is the answer to GET /api/v1/status.
type Status struct {
	Node    string `json:"node"`
	Store   string `json:"store"`
	Run     string `json:"run"`
	Version string `json:"version"`
	// Config is the configuration file; empty for a lone node.
	Config  string  `json:"config"`
	Storage string  `json:"storage"`
	UptimeS float64 `json:"uptime_s"`
	NATS    NATS    `json:"nats"`
	// Conflict says that another live instance has this node's id and this one stands back; empty: none.
	Conflict string `json:"conflict,omitempty"`
	// Statistic are the engine's counters by name.
	Statistic map[string]int64 `json:"statistic"`
	Channels  []Channel        `json:"channels"`
	Accounts  []Account        `json:"accounts"`
	Inbound   []Inbound        `json:"inbound"`
	Inputs    []Input          `json:"inputs"`
	Plugins   []Plugin         `json:"plugins"`
	// Suspended are channels of which a reader gets nothing now, with the reason and the way out. Their messages wait.
	Suspended []Suspended `json:"suspended"`
	// StorageTrouble is why no message is taken now; nothing is lost by it. Without it, messages are taken.
	StorageTrouble *StorageTrouble `json:"storage_trouble,omitempty"`
	// Denied are subjects that NATS does not permit this node.
	Denied []Denied `json:"denied"`
}

// Suspended is a channel that rests for one reader.
type Suspended struct {
	Channel string  `json:"channel"`
	Reader  string  `json:"reader"`
	Reason  string  `json:"reason"`
	ForS    float64 `json:"for_s"`
}

// Denied is a subject that NATS refuses, and what to do about it.
type Denied struct {
	Subject string  `json:"subject"`
	Fix     string  `json:"fix"`
	ForS    float64 `json:"for_s"`
}

// NATS is the state of the connection.
type NATS struct {
	Connected bool   `json:"connected"`
	URL       string `json:"url"`
	Embedded  bool   `json:"embedded"`
}

// Channel is one channel of this node.
type Channel struct {
	Name     string `json:"name"`
	Mode     string `json:"mode"`
	Consumer string `json:"consumer"`
	Own      bool   `json:"own"`
	// State says what keeps its messages waiting; empty if nothing does.
	State string `json:"state,omitempty"`
}

// NoConsumer is the state of a channel that is read and has no consumer.
const NoConsumer = "no consumer: its messages wait at their senders"

// Account is what became of one channel's messages for one reader: accepted is the sum of all that follow.
type Account struct {
	Channel  string `json:"channel"`
	Reader   string `json:"reader"`
	Accepted int64  `json:"accepted"`
	Handled  int64  `json:"handled"`
	Dead     int64  `json:"dead"`
	Expired  int64  `json:"expired"`
	Purged   int64  `json:"purged"`
	Overflow int64  `json:"overflow"`
	Removed  int64  `json:"removed"`
	Corrupt  int64  `json:"corrupt"`
	Pruned   int64  `json:"pruned"`
	Pending  int64  `json:"pending"`
	// Ended says that the reader has left; what waited for it counts as removed.
	Ended bool `json:"ended,omitempty"`
}

// Balanced says whether every accepted message is accounted for.
func (a Account) Balanced() bool {
	return a.Accepted == a.Handled+a.Dead+a.Expired+a.Purged+a.Overflow+a.Removed+a.Corrupt+a.Pruned+a.Pending
}

// Inbound is what this node took from one sender on one channel.
type Inbound struct {
	Channel  string `json:"channel"`
	Sender   string `json:"sender"`
	Position uint64 `json:"position"`
	Handled  int64  `json:"handled"`
	Dead     int64  `json:"dead"`
}

// Input is one input of this node.
type Input struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Channel string `json:"channel"`
	// Rejected counts, since the database was made, the messages that were not sent: above the largest size, or refused for good
	// by a filter. The database keeps them.
	Rejected int64 `json:"rejected"`
}

// Plugin is one plugin's counters since the router started.
type Plugin struct {
	Name    string `json:"name"`
	Edition uint64 `json:"edition"` // 1 at the start, one more with each version that was put to work since
	SHA256  string `json:"sha256"`
	Serves  string `json:"serves"` // the entry points
	File    string `json:"file"`
	State   string `json:"state"` // working, or what is wrong
	// Suspended says that so many calls in a row failed that the plugin is called only after pauses, until one works. Its messages wait.
	Suspended bool             `json:"suspended,omitempty"`
	Calls     int64            `json:"calls"`
	Faults    int64            `json:"faults"`
	Refused   int64            `json:"refused"` // reloads that failed, and left the version before at work
	Verdicts  map[string]int64 `json:"verdicts"`
	// Custom are the counters that the plugin keeps itself.
	Custom map[string]int64 `json:"custom"`
}

// Reloaded is the answer to a reload.
type Reloaded struct {
	// Changed is false if the file held what ran already.
	Changed bool   `json:"changed"`
	Plugin  Plugin `json:"plugin"`
}

// Header is a name and a value of a message.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Outgoing is a message to send. TTL 0 means the configured expiry.
type Outgoing struct {
	Data    []byte
	Headers []Header
	TTL     time.Duration
}

// Receipt is the answer to a send: the message is durable, or a filter dropped it.
type Receipt struct {
	// ID is empty when the message went through outbound filters.
	ID      string `json:"id"`
	Dropped bool   `json:"dropped,omitempty"`
}

// Event is one message that went out of or was handled by this node.
type Event struct {
	ID        string   `json:"id"`
	Channel   string   `json:"channel"`
	Sender    string   `json:"sender"`
	Seq       uint64   `json:"seq"`
	Direction string   `json:"direction"` // in or out
	CreatedMs int64    `json:"created_ms"`
	Headers   []Header `json:"headers,omitempty"`
	// Data is the message as text; DataBase64 is used instead when it is no UTF-8.
	Data       string `json:"data,omitempty"`
	DataBase64 []byte `json:"data_base64,omitempty"`
}

// Entry is one durable key of a plugin. In JSON both parts are base64, with the key as text and the value as a number
// where they are that.
type Entry struct{ Key, Value []byte }

type entryJSON struct {
	Key   []byte  `json:"key"`
	Text  *string `json:"text,omitempty"`
	Value []byte  `json:"value"`
	// Int is the value as a counter, ValueText as text, whichever it may be.
	Int       *int64  `json:"int,omitempty"`
	ValueText *string `json:"value_text,omitempty"`
}

// StatePage is the answer to GET /api/v1/plugins/{name}/state. Next, if not empty, is the after of the next page.
type StatePage struct {
	Entries []json.RawMessage `json:"entries"`
	Next    string            `json:"next,omitempty"`
}
