package outbox

import (
	"maps"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Target is what is known of a reader node: whether it can be reached, and the joins of its that have a consumer.
type Target struct {
	Node   string
	Store  store.ID
	Run    store.ID
	Online bool
	Local  bool              // this node itself: reached without the network
	Ready  map[string]uint64 // channel: join
	Behind map[string]uint64 // of those: channels of which it announces an older join than it had, and which

	Batches wire.Versions // that it reads
}

func (t *Target) same(u *Target) bool {
	return t.Node == u.Node && t.Run == u.Run && t.Online == u.Online && t.Batches == u.Batches && maps.Equal(t.Ready, u.Ready) && maps.Equal(t.Behind, u.Behind)
}

// SetTarget takes the newest word on a reader node. Joins that are not recorded (see AddReader) are left out until they are.
func (b *Outbox) SetTarget(t Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if !b.opt.PerChannel {
		if len(t.Ready) == 0 && b.streams[streamKey{reader: t.Store}] == nil {
			return // a node that reads nothing of ours needs no goroutine
		}
		b.stream(streamKey{reader: t.Store}).retarget(t)
		return
	}
	for channel, join := range t.Ready {
		one := t
		one.Ready = map[string]uint64{channel: join}
		b.stream(streamKey{t.Store, channel}).retarget(one)
	}
	for k, s := range b.streams { // channels it no longer has ready
		if _, ready := t.Ready[k.scope]; k.reader == t.Store && !ready {
			none := t
			none.Ready = nil
			s.retarget(none)
		}
	}
}

// stream finds or starts a stream; b.mu is held.
func (b *Outbox) stream(k streamKey) *stream {
	s := b.streams[k]
	if s == nil {
		s = newStream(b, k, b.up)
		b.streams[k] = s
		b.done.Go(s.run)
	}
	return s
}

// A stream whose reader has been away, or takes nothing, for a while is given up; there is another once it is back.
const (
	idleAfter    = 10 * time.Minute
	manyStreams  = 1024
	crowdedAfter = 30 * time.Second // with more than that many streams
)

func (b *Outbox) retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	patience := idleAfter
	if len(b.streams) > manyStreams {
		patience = crowdedAfter
	}
	for k, s := range b.streams {
		if s.retire(b.now(), patience) {
			delete(b.streams, k)
		}
	}
}

// Connected and Disconnected follow the connection. A connection resets every back-off and opens every lane at once.
func (b *Outbox) Connected() { b.connection(true) }

// Disconnected ends every session over the network; what was in flight is unknown until the next one.
func (b *Outbox) Disconnected() { b.connection(false) }

func (b *Outbox) connection(up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = up
	for _, s := range b.streams {
		s.connection(up)
	}
}

// Status takes a status frame that arrived from a node.
func (b *Outbox) Status(from string, st *wire.Status) {
	if st.SenderStore != b.log.ID() {
		b.reject(wire.Misdirected, from, "status: for another store")
		return
	}
	b.mu.Lock()
	fault, detail := wire.Stranger, "status: of one that reads nothing of this node"
	if s := b.streams[streamKey{reader: st.ReceiverStore}]; s != nil {
		fault, detail = s.status(from, st)
	} else if b.opt.PerChannel {
		for k, s := range b.streams {
			if k.reader != st.ReceiverStore {
				continue
			}
			if fault, detail = s.status(from, st); fault != wire.Faults {
				break
			}
		}
	}
	b.mu.Unlock()
	if fault != wire.Faults {
		b.reject(fault, from, detail)
		return
	}
	b.acks.Add(1)
}

func (b *Outbox) reject(f wire.Fault, node, detail string) {
	b.opt.Event(Event{Kind: FrameRejected, Fault: f, Node: node, Detail: detail})
}
