package node

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
)

// Whoever may announce itself can make up readers, and each has a place on record until it leaves or is kicked. These bound the places, and
// how fast new ones are given: a first burst at once, the others at a steady rate.
const (
	maxReaders    = 16384  // of one channel
	maxAllReaders = 131072 // of all channels
	admitBurst    = 2048
	admitRate     = 256 // a second
	admitAtOnce   = 64  // in one transaction
)

// admissions are the readers that are about to be put on record. The membership goroutine alone uses them.
type admissions struct {
	due    []admission
	under  atomic.Bool   // a transaction is on its way
	done   chan struct{} // capacity 1: it is over
	spent  float64       // of admitBurst
	at     time.Duration // when spent was counted
	putOff bool          // some have to wait for their turn
}

type admission struct {
	store.AddReader
	back     bool // its database was replaced by another one, which is gone again
	replaced bool // it takes the place of another database of its node
}

// admit puts a reader on record; its lane opens when that is durable.
func (n *Node) admit(a store.AddReader) {
	r, known := n.out.Reader(a.Store, a.Channel, a.Join)
	if known {
		if r.Node != a.Node {
			n.rename(a.Store, r.Node, a.Node)
		}
		if r.Ended && !r.Replaced && a.Store != n.store.ID() { // it was kicked while it was away: an ended join stays ended
			n.kickAgain(a)
		}
		if !r.Replaced {
			return
		}
	}
	if !n.under(a) {
		return
	}
	replaced := n.replaces(a)
	if !known && !replaced && a.Store != n.store.ID() && !n.place(a) {
		n.over(a)
		n.count.turnedAway.Add(1)
		return
	}
	one := admission{a, known, replaced}
	if known || !n.out.Fresh(&a) {
		n.out.AddReader(a, func(err error) { n.admitted(&one, err) })
		return
	}
	n.admissions.due = append(n.admissions.due, one)
}

// replaces tells whether a reader takes the place of one of its node's other stores.
func (n *Node) replaces(a store.AddReader) bool {
	return !n.out.Fresh(&a) && len(n.out.Find(func(r *store.Reader) bool {
		return r.Channel == a.Channel && r.Node == a.Node && r.Store != a.Store && !r.Ended
	})) > 0
}

// place tells whether there is a place for one more reader now.
func (n *Node) place(a store.AddReader) bool {
	log := n.log.With().Str("node", a.Node).Str("channel", a.Channel).Logger()
	here, all := n.out.Size(a.Channel)
	due := len(n.admissions.due)
	if here+due >= maxReaders || all+due >= maxAllReaders {
		n.limiter.warn(log, "readers "+a.Channel, "as many readers are on record as there can be; this one gets nothing")
		return false
	}
	d, now := &n.admissions, n.now()
	d.spent = max(d.spent-admitRate*(now-d.at).Seconds(), 0)
	d.at = now
	if d.spent >= admitBurst {
		d.putOff = true
		n.limiter.warn(log, "admissions", "too many readers come at once; this one has to wait")
		return false
	}
	d.spent++
	return true
}

// admitDue puts some of those on record that are due: one transaction at a time, so that what is sent meanwhile waits for no more than one.
func (n *Node) admitDue() {
	d := &n.admissions
	if len(d.due) == 0 || !d.under.CompareAndSwap(false, true) {
		return
	}
	due := slices.Clone(d.due[:min(len(d.due), admitAtOnce)])
	d.due = slices.Delete(d.due, 0, len(due))
	n.out.AddFresh(places(due), func(err error) {
		for i := range due {
			n.admitted(&due[i], err)
		}
		d.under.Store(false)
		select {
		case d.done <- struct{}{}:
		default:
		}
	})
}

func places(due []admission) []store.AddReader {
	list := make([]store.AddReader, len(due))
	for i := range due {
		list[i] = due[i].AddReader
	}
	return list
}

// admitted tells how it went; it runs on the goroutine that writes.
func (n *Node) admitted(a *admission, err error) {
	n.over(a.AddReader)
	log := n.log.With().Str("node", a.Node).Str("channel", a.Channel).Hex("store", a.Store[:]).Logger()
	switch {
	case err != nil:
		n.limiter.warn(log.With().Err(err).Logger(), "unrecorded", "a reader could not be put on record; it gets nothing until it can")
		return
	case a.back:
		n.limiter.warn(log, "back "+a.Node, "a reader is back with a database that it had before; it goes on where that one was")
	case a.replaced:
		n.limiter.warn(log, "replaced "+a.Node, "a reader came with another database: was the old one deleted? It goes on at the old one's place; what that had handled stays handled, unless it asks for a replay")
	default:
		n.limiter.info(log, "joined", "a reader joined")
	}
	n.friends.Store(a.Node, true)
	if now, _ := n.out.Reader(a.Store, a.Channel, a.Join); (a.back || a.replaced) && !now.Ended {
		n.poke() // the other store may have announced itself meanwhile
	}
}

// friend tells whether this node has another one on record, as a reader or as a sender.
func (n *Node) friend(node string) bool {
	_, ok := n.friends.Load(node)
	return ok
}

// under notes that a reader is being put on record; false if it already is.
func (n *Node) under(a store.AddReader) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.admitting[a] {
		return false
	}
	n.admitting[a] = true
	return true
}

func (n *Node) over(a store.AddReader) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.admitting, a)
}

func (n *Node) leave(id store.ID, channel string, join uint64) {
	r, known := n.out.Reader(id, channel, join)
	if !known || r.Ended && !r.Replaced {
		return
	}
	log := n.log.With().Str("node", r.Node).Str("channel", channel).Logger()
	n.out.EndReader(id, channel, join, func(err error) {
		if err != nil {
			log.Error().Err(err).Msg("a reader's leave could not be put on record")
			return
		}
		n.limiter.info(log, "left", "a reader left")
	})
}
