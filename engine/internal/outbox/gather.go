package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// ErrTooLarge means a message is above the limit.
var ErrTooLarge = errors.New("message too large")

// ErrUnknown means that whoever sent did not wait for the outcome: the message may yet be stored.
var ErrUnknown = errors.New("the message may yet be stored")

// A group that has grown to one of these bounds takes no more until the writer took it: senders wait.
const (
	groupMessages = 16384
	groupBytes    = 4 << 20
)

// stampEvery is how many messages of a group share a reading of the clocks. A group lives for one commit.
const stampEvery = 32

// gatherer collects what is sent while the writer is busy, so that all of it shares one commit. Messages are encoded by their
// senders, straight into the group.
type gatherer struct {
	log    Log
	ledger *ledger
	keep   func(channel string, readers bool) bool // what is sent is kept for readers yet to come
	wall   func() int64                            // Unix milliseconds
	soft   bool                                    // a queue at its limit does not refuse: stored makes room
	stored func([]store.Segment)                   // called on the writer's goroutine after segments were stored, if soft

	mu    sync.Mutex
	group *group        // being filled; nil when there is none
	taken chan struct{} // closed when the group that is full was taken
	spare [][]byte      // buffers of segments that were written
}

type group struct {
	segments []store.Segment
	current  wire.SegmentWriter
	channel  string // of current
	opened   bool
	engine   int64 // the clocks, read once in a while
	wall     int64
	count    int
	bytes    int
	full     bool
	stolen   int // how many segments a planted bug took
	done     chan struct{}
	err      error
	async    []func(error)
}

// Receipt tells how a send ended.
type Receipt struct {
	group   *group
	segment int
	index   int
}

// Wait blocks until the message is durable, or was refused. If ctx ends first the outcome is unknown: the message may yet be stored.
func (r Receipt) Wait(ctx context.Context) error {
	select {
	case <-r.group.done:
		return r.group.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
	}
}

// Seq is the message's sequence; it is known after Wait returned nil.
func (r Receipt) Seq() uint64 { return r.group.segments[r.segment].First + uint64(r.index) }

// add puts messages of one channel into the group, all of them or none. If done is set it is called with the outcome by the
// goroutine that completes sends.
func (g *gatherer) add(ctx context.Context, channel string, messages []wire.Message, done func(error)) (Receipt, error) {
	readers, err := g.ledger.accept(channel, len(messages), g.soft)
	if err != nil {
		return Receipt{}, err
	}
	if g.log.Short() {
		poke(g.ledger.hurry)
	}
	keep := g.keep(channel, readers)
	g.mu.Lock()
	for g.group != nil && g.group.full {
		taken := g.taken
		g.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			g.ledger.release(channel, len(messages))
			return Receipt{}, fmt.Errorf("nothing was stored: %w", ctx.Err())
		}
		g.mu.Lock()
	}
	gr, fresh := g.group, false
	if gr == nil {
		gr, fresh = &group{done: make(chan struct{})}, true
		g.group, g.taken = gr, make(chan struct{})
	}
	r, err := g.fill(gr, channel, messages, keep)
	if err == nil && done != nil {
		gr.async = append(gr.async, done)
	}
	g.mu.Unlock()
	if err != nil {
		g.ledger.release(channel, len(messages))
	}
	if fresh {
		if planted.StolenBatch {
			g.steal(gr)
		}
		g.log.Submit(&store.Tx{Take: func() []store.Segment { return g.take(gr) }, Done: func(err error) { g.complete(gr, err) }})
	}
	return r, err
}

// fill appends to the group; g.mu is held. A segment ends where a batch would.
func (g *gatherer) fill(gr *group, channel string, messages []wire.Message, keep bool) (r Receipt, err error) {
	for i := range messages {
		if gr.count%stampEvery == 0 {
			gr.engine, gr.wall = g.log.Now(), g.wall()
		}
		if n := gr.current.Count(); n == 0 || gr.channel != channel || gr.opened != keep || n >= store.DefaultBatchMessages || len(gr.current.Bytes()) >= store.DefaultBatchBytes {
			g.seal(gr)
			gr.channel, gr.opened = channel, keep
			gr.current.Reset(g.buffer())
		}
		if i == 0 {
			r = Receipt{group: gr, segment: len(gr.segments), index: gr.current.Count()}
		}
		m := &messages[i]
		m.Engine, m.Wall = gr.engine, gr.wall
		if err := gr.current.Append(m); err != nil {
			return r, err
		}
		gr.count++
		gr.bytes += len(m.Data)
	}
	gr.full = gr.count >= groupMessages || gr.bytes >= groupBytes
	return r, nil
}

// seal ends the current segment; g.mu is held.
func (g *gatherer) seal(gr *group) {
	if gr.current.Count() == 0 {
		return
	}
	gr.segments = append(gr.segments, store.Segment{Channel: gr.channel, Count: gr.current.Count(), Body: gr.current.Bytes(),
		Earliest: gr.current.Earliest(), Latest: gr.current.Latest(), Open: gr.opened})
	gr.current.Reset(nil)
}

// take closes the group for the writer.
func (g *gatherer) take(gr *group) []store.Segment {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seal(gr)
	g.group = nil
	close(g.taken)
	if gr.stolen > 0 {
		return nil
	}
	return gr.segments
}

// steal is the planted bug of a commit of positions alone that takes a group which is still being filled: what its senders add after that is never written.
func (g *gatherer) steal(gr *group) {
	changes := g.ledger.takeDirty()
	if len(changes) == 0 {
		return
	}
	take := func() []store.Segment {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.seal(gr)
		gr.stolen = len(gr.segments)
		return gr.segments
	}
	_ = g.log.Do(&store.Tx{Readers: changes, Must: true, Take: take}) // the group's own commit fails as well
}

func (g *gatherer) buffer() []byte {
	if n := len(g.spare); n > 0 {
		b := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, 64<<10)
}

// complete runs in the writer's goroutine.
func (g *gatherer) complete(gr *group, err error) {
	gr.err = err
	g.mu.Lock()
	if g.group == gr { // never taken: the store is closed or failed
		g.group = nil
		close(g.taken)
	}
	for i := range gr.segments {
		s := &gr.segments[i]
		if err != nil {
			g.ledger.release(s.Channel, s.Count)
		}
		if len(g.spare) < 8 && cap(s.Body) <= groupBytes {
			g.spare = append(g.spare, s.Body)
		}
		s.Body = nil
	}
	g.mu.Unlock()
	if g.soft && err == nil && g.ledger.limit > 0 {
		g.stored(gr.segments)
	}
	close(gr.done)
	for _, f := range gr.async {
		f(err)
	}
}
