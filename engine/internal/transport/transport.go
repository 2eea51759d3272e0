// Package transport is what the engine needs of a network: subjects, messages that may be lost, repeated or overtaken around
// reconnects, and word of what happens to the connection. natsconn is the real one over NATS; memconn is one in memory with faults
// to order; transporttest holds both to this page.
package transport

// Conn is one connection of one node. Its methods may be called from any goroutine, Close not from the handler.
type Conn interface {
	// Start begins to connect, and from then on h is called. It returns at once, also when no server answers; it then goes on
	// trying for ever, and so it does after every loss. An error means the configuration cannot work, or that Start was called
	// before or after Close.
	Start(h Handler) error
	// Subscribe asks for the messages whose subject matches pattern, in which "*" stands for one token and a last ">" for one or more.
	// It holds over reconnects. Asking again for the same pattern changes nothing; two patterns that match the same subject get it
	// twice. Without a connection it is remembered for the next one.
	Subscribe(pattern string) error
	// Unsubscribe ends a subscription. Messages that have arrived may still be handed over.
	Unsubscribe(pattern string) error
	// Publish hands data to the network and does not keep it. It returns ErrDisconnected without a connection, for nothing is kept
	// for the next one, and ErrTooLarge above MaxPayload. No error promises no delivery. It may block for a few seconds when the
	// network stops taking bytes.
	Publish(subject string, data []byte) error
	// Flush waits until the server has answered to everything published before, a few seconds at most.
	Flush() error
	// MaxPayload is the most bytes that one message may have at this time; 0 while that is unknown. It can change with each connection.
	MaxPayload() int
	// Connected says whether there is a connection, as far as is known.
	Connected() bool
	// Close disconnects, lets the handler see Closed as the last thing, and waits for all that the connection has running.
	Close()
}

// Handler gets everything that a connection has to tell. Its methods are called by one goroutine, one at a time, in the order in
// which things happened; with the exception that messages may come in shortly before the Connected of the connection they came over.
// While a method runs, later messages queue, and get lost when the queue is full.
type Handler interface {
	// Receive takes a message. data belongs to the handler.
	Receive(subject string, data []byte)
	// Event takes news of the connection.
	Event(e Event)
}

// Event is news of a connection.
type Event struct {
	Kind    EventKind
	Subject string // of Denied: what may not be published or subscribed to; of Overrun: the pattern that lost messages
	Err     error  // of Disconnected, Failed and Denied, if the cause is known
	Server  string // of Connected: the server, without secrets
	Count   uint64 // of Overrun: how many messages were lost since the last one told
}

// EventKind is what an event tells.
type EventKind uint8

// The kinds of events.
const (
	Connected    EventKind = iota + 1 // subscriptions are in place again; what was under way before is lost
	Disconnected                      // the connection is lost
	Failed                            // an attempt to connect failed, or the connection has an error that does not end it
	Denied                            // the server's permissions forbid the subject; one may stand for several of the same subject
	Overrun                           // the handler was too slow and messages were lost; told when it starts, and counted with the next
	Closed                            // the last event
)

// String names the kind.
func (k EventKind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Failed:
		return "failed"
	case Denied:
		return "denied"
	case Overrun:
		return "overrun"
	case Closed:
		return "closed"
	}
	return "unknown event"
}
