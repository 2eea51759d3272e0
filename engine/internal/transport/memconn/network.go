// Package memconn is a network in memory, with faults to order, for tests and simulation. It runs inside testing/synctest bubbles.
//
// Whatever is random is drawn from the seed, the two names of a link and the number of the message on that link, so a program that sends the
// same messages over each link meets the same faults, however its goroutines are scheduled between links.
package memconn

import (
	"container/heap"
	"sync"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// Faults are what befalls messages. Probabilities are from 0 to 1, each drawn for every message on every link.
type Faults struct {
	Drop      float64 // it is lost
	Duplicate float64 // it comes a second time, with a delay of its own
	Reorder   float64 // it comes up to ReorderBy later than it should, while others pass it
	Truncate  float64 // its end is missing
	Corrupt   float64 // one to eight of its bits are flipped
	Stall     float64 // it and all behind it on the link come StallFor later

	MinDelay, MaxDelay  time.Duration // every message takes a time between these; the order on a link stays
	Rate                int           // bytes a second on each link; 0: any number
	ReorderBy, StallFor time.Duration

	Bandwidth int // bytes a second that each link moves, one message behind the other; 0: no bound
}

// Counts say how often what happened, so that a test can see that its faults were met.
type Counts struct {
	Published, Delivered, Dropped, Duplicated, Reordered, Truncated, Corrupted, Stalled, Vanished uint64
}

// The defaults of a network.
const (
	defaultPayload = 1 << 20
	defaultQueue   = 1 << 16
)

// Network joins connections as a NATS server would. Everything about it can be changed at any time.
type Network struct {
	seed uint64

	mu       sync.Mutex
	faults   Faults
	counts   Counts
	payload  int
	queue    int
	down     bool
	off      map[string]bool
	parted   map[link]bool
	denied   map[string][]string
	links    map[link]*linkState
	conns    []*conn // those that have started and not closed, in that order
	transit  flights
	launched uint64
	timer    *time.Timer
}

// NewNetwork returns a network without faults.
func NewNetwork(seed uint64) *Network {
	return &Network{
		seed: seed, payload: defaultPayload, queue: defaultQueue,
		off: map[string]bool{}, parted: map[link]bool{}, denied: map[string][]string{}, links: map[link]*linkState{},
	}
}

// Dial returns a connection for the node of that name, not yet started. Several of one name share what is done to the name.
func (n *Network) Dial(name string) transport.Conn {
	c := &conn{network: n, name: name}
	c.wake.L = &n.mu
	return c
}

// SetFaults changes what befalls messages from now on.
func (n *Network) SetFaults(f Faults) { n.change(func() { n.faults = f }) }

// SetMaxPayload changes what MaxPayload says and Publish accepts.
func (n *Network) SetMaxPayload(bytes int) { n.change(func() { n.payload = bytes }) }

// SetQueue changes how many messages may wait for a handler.
func (n *Network) SetQueue(messages int) { n.change(func() { n.queue = messages }) }

// Partition loses everything between two nodes from now on, in both directions; their connections stay.
func (n *Network) Partition(a, b string) {
	n.change(func() { n.parted[link{a, b}], n.parted[link{b, a}] = true, true })
}

// PartitionOneWay loses everything from one node to another from now on.
func (n *Network) PartitionOneWay(from, to string) {
	n.change(func() { n.parted[link{from, to}] = true })
}

// Freeze holds back everything to and from a node for a time, and everything that it sends and gets meanwhile, as when its process is
// stopped and goes on later. Its connection stays.
func (n *Network) Freeze(name string, d time.Duration) {
	n.change(func() {
		now := time.Now()
		for _, c := range n.conns {
			for _, l := range []link{{name, c.name}, {c.name, name}} {
				s := n.link(l)
				s.free = later(s.free, now.Add(d))
			}
		}
	})
}

// Heal ends the partition between two nodes.
func (n *Network) Heal(a, b string) {
	n.change(func() { delete(n.parted, link{a, b}); delete(n.parted, link{b, a}) })
}

// Deny refuses what the node publishes on subjects that match pattern.
func (n *Network) Deny(name, pattern string) {
	n.change(func() { n.denied[name] = append(n.denied[name], pattern) })
}

// Disconnect cuts the node off: what is under way to and from it vanishes.
func (n *Network) Disconnect(name string) { n.change(func() { n.off[name] = true }) }

// Reconnect lets the node connect again.
func (n *Network) Reconnect(name string) { n.change(func() { delete(n.off, name) }) }

// Down disconnects everyone.
func (n *Network) Down() { n.change(func() { n.down = true }) }

// Up lets everyone connect again who was not disconnected by name.
func (n *Network) Up() { n.change(func() { n.down = false }) }

// Counts returns what has happened so far.
func (n *Network) Counts() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts
}

// change applies f and connects and disconnects whom it concerns.
func (n *Network) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	for _, c := range n.conns {
		c.settle()
	}
}

// flight is a message under way. It arrives only if neither end has been disconnected since it left.
type flight struct {
	due            time.Time
	number         uint64 // orders those due at the same time
	from, to       *conn
	fromAge, toAge uint64
	pattern        string
	message        item
}

// flights is a heap by due time and number.
type flights []*flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	if !f[i].due.Equal(f[j].due) {
		return f[i].due.Before(f[j].due)
	}
	return f[i].number < f[j].number
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(*flight)) }
func (f *flights) Pop() any {
	last := len(*f) - 1
	x := (*f)[last]
	(*f)[last] = nil
	*f = (*f)[:last]
	return x
}

// launch sends a flight on its way. n.mu is held.
func (n *Network) launch(f *flight) {
	n.launched++
	f.number = n.launched
	heap.Push(&n.transit, f)
}

// land hands over every flight that is due, and sets the timer for the next. n.mu is held.
func (n *Network) land() {
	now := time.Now()
	for len(n.transit) > 0 && !n.transit[0].due.After(now) {
		f := heap.Pop(&n.transit).(*flight)
		if f.from.age != f.fromAge || f.to.age != f.toAge || !f.to.up {
			n.counts.Vanished++
			continue
		}
		f.to.arrive(f.pattern, f.message)
	}
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
	if len(n.transit) > 0 {
		n.timer = time.AfterFunc(n.transit[0].due.Sub(now), func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.land()
		})
	}
}
