package outbox

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// flushDelay is how long a reader's report may wait for its commit: the sender's record serves accounting and pruning only. It does
// not wait while room is short, for then sends need what pruning frees.
const flushDelay = 100 * time.Millisecond

// Outbox is the sending half of a node.
type Outbox struct {
	opt    Options
	log    Log
	pub    Publisher
	ledger *ledger
	gather *gatherer
	blocks *blocks
	start  time.Time

	sessions atomic.Uint64
	mu       sync.Mutex
	streams  map[streamKey]*stream
	up       bool
	closed   bool

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	sent   atomic.Uint64 // data frames
	resent atomic.Uint64 // sessions begun anew for want of progress
	acks   atomic.Uint64 // status frames taken
}

type streamKey struct {
	reader store.ID
	scope  string
}

// New returns an outbox over a log. Keep tells whether what is sent on a channel, which has readers or none, is to be kept for readers that
// are not known yet; wall is the wall clock in Unix milliseconds. Close must be called.
func New(o Options, log Log, pub Publisher, keep func(channel string, readers bool) bool, wall func() int64) *Outbox {
	ctx, cancel := context.WithCancel(context.Background())
	b := &Outbox{opt: o, log: log, pub: pub, ledger: newLedger(log, o.MaxPerReceiver), streams: map[streamKey]*stream{}, start: time.Now(), ctx: ctx, cancel: cancel}
	b.gather = &gatherer{log: log, ledger: b.ledger, soft: o.Overflow != Reject, stored: b.overflow, keep: keep, wall: wall}
	b.blocks = &blocks{log: log, now: b.now}
	b.done.Go(b.flush)
	b.done.Go(b.keepHouse)
	return b
}

func (b *Outbox) now() time.Duration { return time.Since(b.start) }

// Send hands messages of one channel to the log, in order, all or none; the receipt tells when they are durable. It blocks while the
// group being gathered is full. If done is set it is called with the outcome too, and must not block.
func (b *Outbox) Send(ctx context.Context, channel string, messages []wire.Message, done func(error)) (Receipt, error) {
	for i := range messages {
		if err := b.Fits(channel, &messages[i]); err != nil {
			return Receipt{}, err
		}
		if size(&messages[i]) >= collectAbove {
			debug.FreeOSMemory() // else the copy of a large message before this one would count as much again
		}
	}
	return b.gather.add(ctx, channel, messages, done)
}

// collectAbove is the size of a message that is worth having the memory of what is gone given back first, in bytes.
const collectAbove = 16 << 20

// Fits tells whether a message is within the limit of size; else the error wraps ErrTooLarge.
func (b *Outbox) Fits(channel string, m *wire.Message) error {
	if n := size(m); n > b.opt.MaxMessageSize {
		return fmt.Errorf("channel %s: a message of %d bytes, the limit is %d: %w", channel, n, b.opt.MaxMessageSize, ErrTooLarge)
	}
	return nil
}

func size(m *wire.Message) int {
	n := len(m.Data)
	for _, h := range m.Headers {
		n += len(h.Name) + len(h.Value)
	}
	return n
}

// Emit is a message that a handler emits, or that is committed together with other changes.
type Emit struct {
	Channel string
	Message wire.Message
}

// Segments encodes emits for a Tx and books them past the queue limit. On failure of the Tx call Release with them.
func (b *Outbox) Segments(emits []Emit) ([]store.Segment, error) {
	var segments []store.Segment
	engine, wall := b.log.Now(), b.gather.wall()
	for i := 0; i < len(emits); {
		channel := emits[i].Channel
		var w wire.SegmentWriter
		w.Reset(nil)
		for ; i < len(emits) && emits[i].Channel == channel && w.Count() < store.DefaultBatchMessages && len(w.Bytes()) < store.DefaultBatchBytes; i++ {
			m := emits[i].Message
			if err := b.Fits(channel, &m); err != nil {
				b.Release(segments)
				return nil, err
			}
			m.Engine, m.Wall = engine, wall
			if err := w.Append(&m); err != nil {
				b.Release(segments)
				return nil, fmt.Errorf("encode an emit to channel %s: %w", channel, err)
			}
		}
		readers, err := b.ledger.accept(channel, w.Count(), true)
		if err != nil {
			b.Release(segments)
			return nil, err
		}
		segments = append(segments, store.Segment{Channel: channel, Count: w.Count(), Body: w.Bytes(), Earliest: w.Earliest(), Latest: w.Latest(), Open: b.gather.keep(channel, readers)})
	}
	return segments, nil
}

// Release takes back the booking of segments that were not stored.
func (b *Outbox) Release(segments []store.Segment) {
	for _, s := range segments {
		b.ledger.release(s.Channel, s.Count)
	}
}

// Appended wakes the streams; the log's writer calls it after each commit that appended.
func (b *Outbox) Appended() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		s.poke()
	}
}

// Skipped takes notice of skips that were stored: what is skipped does not count towards the queue limit any more, and the readers are told.
func (b *Outbox) Skipped() {
	b.ledger.skipped()
	b.Appended()
}

// Readers lists what is recorded of every reader, ahead of what is durable.
func (b *Outbox) Readers() []store.Reader { return b.ledger.all() }

// Reader returns the record of one join.
func (b *Outbox) Reader(id store.ID, channel string, join uint64) (store.Reader, bool) {
	return b.ledger.reader(readerKey{id, channel, join})
}

// JoinsOf lists the joins of a store that have not ended and whose channels are among those named, up to the number named.
func (b *Outbox) JoinsOf(id store.ID, upto []wire.OpenChannel) []store.Reader {
	if len(upto) == 0 {
		return nil
	}
	newest := make(map[string]uint64, len(upto))
	for _, c := range upto {
		newest[c.Name] = max(newest[c.Name], c.Join)
	}
	return b.ledger.of(id, func(r *store.Reader) bool { return (!r.Ended || r.Replaced) && r.Join <= newest[r.Channel] })
}

// Newer is the join of a store to a channel that goes on, or is replaced, and has a higher number than the one named: the store was restored from a copy of before.
func (b *Outbox) Newer(id store.ID, channel string, join uint64) (store.Reader, bool) {
	return b.ledger.newer(id, channel, join)
}

// Newest is the highest number of a join of a store to a channel, also of those that have ended; 0: none is on record.
func (b *Outbox) Newest(id store.ID, channel string) uint64 { return b.ledger.newest(id, channel) }

// Find lists the readers on record that are wanted; wanted must not keep what it is given, nor call the outbox.
func (b *Outbox) Find(wanted func(*store.Reader) bool) []store.Reader { return b.ledger.find(wanted) }

// Size counts the readers on record of one channel, and of all, ended joins too.
func (b *Outbox) Size(channel string) (here, all int) { return b.ledger.size(channel) }

// NameReader records durably that a reader's store belongs to another node id now. Its joins and places stay what they are. It does not wait for the
// disk; done is called with the outcome, by the goroutine that writes.
func (b *Outbox) NameReader(id store.ID, node string, done func(error)) {
	b.log.Submit(&store.Tx{Readers: []store.ReaderChange{{Name: &store.NameReader{Store: id, Node: node}}}, Must: true, Done: func(err error) {
		if err == nil {
			b.reload()
		}
		done(err)
	}})
}

// recorded makes the streams of a reader look at its joins again.
func (b *Outbox) recorded(id store.ID, channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range []streamKey{{reader: id}, {id, channel}} {
		if s := b.streams[k]; s != nil {
			s.recorded()
		}
	}
}

// EndReader ends a join durably: what was pending for it counts as removed. It does not wait for the disk; done is called with the
// outcome, by the goroutine that writes.
func (b *Outbox) EndReader(id store.ID, channel string, join uint64, done func(error)) {
	b.EndReaders([]store.EndReader{{Store: id, Channel: channel, Join: join}}, nil, done)
}

// EndReaders ends several joins in one transaction, which holds the audit entries too.
func (b *Outbox) EndReaders(joins []store.EndReader, audit []store.AuditEntry, done func(error)) {
	var changes []store.ReaderChange
	for _, j := range joins {
		changes = append(changes, b.endings(j.Store, j.Channel, j.Join)...)
	}
	b.log.Submit(&store.Tx{Readers: changes, Audit: audit, Must: true, Done: func(err error) {
		if err == nil {
			b.reload()
		}
		done(err)
	}})
}

// reload takes over what the store has put on record, and tells of what it let go.
func (b *Outbox) reload() {
	for _, r := range b.ledger.reload() {
		b.opt.Event(Event{Kind: ReaderForgotten, Node: r.Node, Channel: r.Channel, Detail: fmt.Sprintf("join %d of store %x, which was at %d", r.Join, r.Store, r.Position)})
	}
}

// endings are the changes that end a join.
func (b *Outbox) endings(id store.ID, channel string, join uint64) []store.ReaderChange {
	changes := b.ledger.end(readerKey{id, channel, join})
	return append(changes, store.ReaderChange{End: &store.EndReader{Store: id, Channel: channel, Join: join}})
}

// houseEvery is the time between two rounds of housekeeping.
const houseEvery = 10 * time.Second

// keepHouse gives back what is no longer needed.
func (b *Outbox) keepHouse() {
	ticker := time.NewTicker(houseEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.blocks.tidy()
			b.retire()
		case <-b.ctx.Done():
			return
		}
	}
}

// flush stores what readers reported, a little behind.
func (b *Outbox) flush() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-b.ledger.moved:
		case <-b.ctx.Done():
			return
		}
		timer.Reset(flushDelay)
		select {
		case <-timer.C:
		case <-b.ledger.hurry:
		case <-b.ctx.Done():
			return
		}
		if b.store() != nil {
			return // the store has failed or is closed, and whoever owns it knows
		}
	}
}

func (b *Outbox) store() error {
	changes := b.ledger.takeDirty()
	if len(changes) == 0 {
		return nil
	}
	failpoint.Pass("outbox.before-record")
	return b.log.Do(&store.Tx{Readers: changes, Must: true})
}

// Counts are the outbox's counters since the start.
type Counts struct {
	Frames, Acks, Stalls uint64
}

// Counts returns the counters.
func (b *Outbox) Counts() Counts {
	return Counts{Frames: b.sent.Load(), Acks: b.acks.Load(), Stalls: b.resent.Load()}
}

// Pending counts what waits for readers, over all channels.
func (b *Outbox) Pending() (n uint64) {
	for _, r := range b.ledger.all() {
		if r.Ended {
			continue
		}
		if head, ok := b.log.Head(r.Channel); ok {
			n += head.Total - min(r.Done, head.Total)
		}
	}
	return n
}

// Close stops every stream, waits for them, and hands the last reports to the log, which must still be open: closing it stores them.
func (b *Outbox) Close() {
	b.Abort()
	if changes := b.ledger.takeDirty(); len(changes) > 0 {
		b.log.Submit(&store.Tx{Readers: changes})
	}
}

// Abort stops every stream and waits for them, storing nothing.
func (b *Outbox) Abort() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.done.Wait()
}
