package outbox

import (
	"errors"
	"fmt"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

const (
	defaultPayload = 1 << 20   // a NATS server's default, until the real one is known
	frameOverhead  = 4 << 10   // bounds everything in a frame but batches and skips
	frameTarget    = 128 << 10 // the target of a frame on a quick link
	readAhead      = 512 << 10
	maxSkips       = 64 // per frame
)

// frameRoom bounds the next frame.
type frameRoom struct {
	payload  int
	target   int // a frame takes no further batch beyond this, and no more of a batch that does not fit
	messages int
	now      int64  // engine time: what has expired by now is skipped
	exact    bool   // the frame holds what is before the bound, whatever the other limits say
	end      uint64 // if exact: where its piece of a batch ends; 0: at the batch's end
	join     func(channel string) uint64
	counted  func(channel string, seq uint64) (uint64, error) // how many of the channel's messages the reader has had up to seq
}

// built is a frame ready to be numbered.
type built struct {
	frame lane.Frame
	data  wire.Data
}

// feed reads the log for one reader: all channels of a session as one stream in ascending order.
type feed struct {
	log    Log
	reader store.ID
	ahead  map[string][]store.Batch
	event  func(Event)
	blocks *blocks
	fit    func(channel string, list []store.Batch) ([]store.Batch, error) // makes batches readable to the reader; nil: they are
	out    built
	part   []byte            // a piece of a large batch
	run    store.ID          // of what was built last
	past   map[string]uint64 // of a planted bug: how far the stored skips were sent
}

// forget is the planted bug of skips that a rewind brings back.
func (f *feed) forget(b *store.Batch, stored []store.SkipRange) []store.SkipRange {
	if f.past[b.Channel] >= b.Last {
		return nil
	}
	f.past[b.Channel] = b.Last
	return stored
}

func newFeed(log Log, blocks *blocks, reader store.ID, event func(Event)) *feed {
	return &feed{log: log, blocks: blocks, reader: reader, event: event, ahead: map[string][]store.Batch{}, past: map[string]uint64{}}
}

func (f *feed) reset() { clear(f.ahead) }

// peek returns the channel's first batch that reaches beyond after; nil if there is none yet.
func (f *feed) peek(channel string, after uint64) (*store.Batch, error) {
	ahead := f.ahead[channel]
	for len(ahead) > 0 && ahead[0].Last <= after {
		ahead = ahead[1:]
	}
	if len(ahead) > 0 && ahead[0].Prev <= after {
		f.ahead[channel] = ahead
		return &ahead[0], nil
	}
	head, ok := f.log.Head(channel)
	if !ok || head.Last <= after {
		f.ahead[channel] = nil
		return nil, nil
	}
	ahead, err := f.log.Read(channel, after, readAhead)
	var damaged *store.CorruptError
	switch {
	case errors.As(err, &damaged):
		ahead = append(ahead, damaged.Batch)
		f.damaged(&ahead[len(ahead)-1], err)
	case err != nil:
		return nil, fmt.Errorf("read channel %s after %d: %w", channel, after, err)
	}
	if f.fit != nil {
		if ahead, err = f.fit(channel, ahead); err != nil {
			return nil, err
		}
	}
	f.ahead[channel] = ahead
	if len(ahead) == 0 && after < head.Floor {
		return f.gone(channel, head.Floor)
	}
	if len(ahead) == 0 {
		return nil, errSoon
	}
	return &ahead[0], nil
}

// damaged puts on record that a batch cannot be read back; its messages end as corrupt.
func (f *feed) damaged(b *store.Batch, err error) {
	b.Blob, b.Size = nil, 0
	f.event(Event{Kind: BatchCorrupt, Channel: b.Channel, Detail: err.Error()})
	f.log.Submit(&store.Tx{Must: true, Damaged: []store.Damage{{First: b.First, Cause: err.Error()}}})
}

// gone stands for what was pruned of a channel that has no batch left: nothing but a place, which is its own predecessor.
func (f *feed) gone(channel string, floor uint64) (*store.Batch, error) {
	total, err := f.log.Upto(channel, floor)
	if err != nil {
		return nil, fmt.Errorf("count what was pruned from channel %s: %w", channel, err)
	}
	b := &store.Batch{Channel: channel, First: floor, Last: floor, Prev: floor, Before: total}
	for _, r := range f.log.Runs() {
		if r.First <= floor {
			b.Run = r.ID
		}
	}
	return b, nil
}

// errSoon means that a batch is committed and about to become readable, or that the reader is about to say how far it is; the stream is woken then.
var errSoon = errors.New("not readable yet")

// errMoved means that a frame cannot be made again as it was: the session has to end.
var errMoved = errors.New("a lost frame cannot be made again")

// again builds a frame that was sent before, with the same range. What of it has ended meanwhile is a skip in it.
func (f *feed) again(m *lane.Sender, was lane.Frame, room frameRoom) (*built, error) {
	c, ok := m.Cursor(was.Channel)
	if !ok {
		return nil, errMoved
	}
	b, err := f.peek(was.Channel, c.Position.Seq)
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, errMoved
	}
	bound := was.Last.Seq + 1
	if was.LastOffset > 0 {
		bound = b.Last + 1
	}
	room.exact = true
	room.end = was.LastOffset
	out, err := f.build(b, c, bound, room)
	if err == nil && (out.frame.Last != was.Last || out.frame.LastOffset != was.LastOffset) {
		return nil, errMoved
	}
	return out, err
}

// next builds the frame that comes next; nil if the reader has everything, or something has to come first that wakes the stream.
func (f *feed) next(m *lane.Sender, room frameRoom) (*built, error) {
	out, err := f.following(m, room)
	if errors.Is(err, errSoon) {
		return nil, nil
	}
	return out, err
}

func (f *feed) following(m *lane.Sender, room frameRoom) (*built, error) {
	if was, ok := m.Again(); ok {
		return f.again(m, was, room)
	}
	var first *store.Batch
	var cursor lane.Cursor
	newest := f.log.Newest() // what is committed while we look must wait: something older may have come on a channel that was looked at
	bound := newest + 1      // the first sequence of any other channel
	for _, name := range m.Channels() {
		c, _ := m.Cursor(name)
		b, err := f.peek(name, c.Position.Seq)
		switch {
		case errors.Is(err, errSoon):
			return nil, nil
		case err != nil:
			return nil, err
		case b == nil, b.First > newest:
		case first == nil:
			first, cursor = b, c
		case b.First < first.First:
			bound, first, cursor = first.First, b, c
		default:
			bound = min(bound, b.First)
		}
	}
	if first == nil {
		return nil, nil
	}
	return f.build(first, cursor, bound, room)
}

func (f *feed) build(first *store.Batch, c lane.Cursor, bound uint64, room frameRoom) (*built, error) {
	out := &f.out
	f.run = first.Run
	prev := wire.Position{Run: c.Position.Run, Seq: c.Position.Seq}
	out.data = wire.Data{Channel: first.Channel, Prev: prev, Run: first.Run, Batches: out.data.Batches[:0], Skips: out.data.Skips[:0]}
	out.frame = lane.Frame{Channel: first.Channel, Prev: c.Position, PrevOffset: c.Offset, Last: c.Position}
	if first.Prev > c.Position.Seq {
		if err := f.pruned(out, first, c.Position.Seq, room); err != nil {
			return nil, err
		}
		if first.Prev == first.Last {
			out.data.Last = out.frame.Last.Seq
			return out, nil
		}
	}
	bytes := 0
	for b := first; b != nil; {
		if b.Run != first.Run || b.First >= bound {
			break
		}
		skips, err := f.skips(b, max(out.frame.Last.Seq, c.Position.Seq), room)
		if err != nil {
			return nil, err
		}
		whole := len(skips) == 1 && skips[0].From <= max(c.Position.Seq+1, b.First) && skips[0].To == b.Last
		need := b.Size
		if whole {
			need = 0
		}
		if b != first && !room.exact && (bytes+need+wire.MaxBatchSize*len(out.data.Batches) > min(room.target, room.payload) || out.frame.Messages+int(b.Count()) > room.messages || len(out.data.Skips)+len(skips) > maxSkips) {
			break
		}
		if need > room.payload || need > 0 && b == first && f.inPieces(b, c, room) {
			if b == first && len(out.data.Skips) == 0 {
				switch err := f.piece(out, b, c, skips, room); {
				case errors.Is(err, store.ErrCorrupt):
					f.damaged(b, err)
					if room.exact {
						return nil, errMoved
					}
					return f.build(b, c, bound, room)
				case err != nil:
					return nil, err
				}
			}
			break
		}
		out.data.Skips = append(out.data.Skips, skips...)
		if !whole {
			out.data.Batches = append(out.data.Batches, wire.Carried{First: b.First, Last: b.Last, Blob: b.Blob})
		}
		bytes += need
		out.frame.Messages += int(b.Count())
		out.frame.Last = lane.Position{Run: b.Run, Seq: b.Last}
		if b, err = f.peek(first.Channel, b.Last); err != nil && !errors.Is(err, errSoon) {
			return nil, err
		}
	}
	out.frame.Bytes += bytes
	if out.data.Piece == nil {
		out.data.Last = out.frame.Last.Seq
	}
	return out, nil
}

// pruned makes the messages between the reader's place and the oldest left in the log a skip. If they were skipped before they were
// pruned, that reason counts.
func (f *feed) pruned(out *built, b *store.Batch, after uint64, room frameRoom) error {
	before, err := room.counted(b.Channel, after)
	if err != nil {
		return fmt.Errorf("count what was pruned from channel %s: %w", b.Channel, err)
	}
	skip := wire.Skip{From: after + 1, To: b.Prev, Count: b.Before - min(before, b.Before), Reason: wire.Pruned}
	stored, err := f.log.Skips(b.Channel, f.reader, room.join(b.Channel), skip.From, skip.To)
	if err != nil {
		return fmt.Errorf("read the skips of channel %s: %w", b.Channel, err)
	}
	ends := map[uint8]uint64{} // how far the skips of each reason reach without a gap
	for _, s := range stored {
		if s.From <= max(ends[s.Reason], after)+1 {
			ends[s.Reason] = max(ends[s.Reason], s.To)
		}
		if ends[s.Reason] >= skip.To {
			skip.Reason = wire.Reason(s.Reason)
		}
	}
	out.data.Skips = append(out.data.Skips, skip)
	out.frame.Last = lane.Position{Run: b.Run, Seq: b.Prev}
	return nil
}

// skips lists what of a batch is not delivered, ascending and without overlap.
func (f *feed) skips(b *store.Batch, after uint64, room frameRoom) ([]wire.Skip, error) {
	from := max(after+1, b.First)
	if b.Size == 0 { // damaged at rest: nobody can have it any more
		return []wire.Skip{{From: from, To: b.Last, Count: b.Last - from + 1, Reason: wire.Corrupt}}, nil
	}
	if b.Latest > 0 && b.Latest <= room.now {
		return []wire.Skip{{From: from, To: b.Last, Count: b.Last - from + 1, Reason: wire.Expired}}, nil
	}
	stored, err := f.log.Skips(b.Channel, f.reader, room.join(b.Channel), from, b.Last)
	if err != nil {
		return nil, fmt.Errorf("read the skips of channel %s: %w", b.Channel, err)
	}
	if planted.ForgottenSkips {
		stored = f.forget(b, stored)
	}
	var out []wire.Skip
	for _, s := range stored {
		lo, hi := max(s.From, from), min(s.To, b.Last)
		if lo > hi {
			continue
		}
		out = append(out, wire.Skip{From: lo, To: hi, Count: hi - lo + 1, Reason: wire.Reason(s.Reason)})
		from = hi + 1
	}
	return out, nil
}

// inPieces tells whether a batch that the payload has room for goes in pieces all the same: it is only in the log, or was begun in pieces, or
// the link is slow.
func (f *feed) inPieces(b *store.Batch, c lane.Cursor, room frameRoom) bool {
	if room.exact {
		return c.Offset > 0 || room.end > 0 || len(b.Blob) == 0
	}
	return c.Offset > 0 || len(b.Blob) == 0 || b.Size > room.target
}

// piece makes the frame carry a part of a batch that is larger than a frame; the batch's skips go with the last.
func (f *feed) piece(out *built, b *store.Batch, c lane.Cursor, skips []wire.Skip, room frameRoom) error {
	total := uint64(b.Size)
	offset := min(c.Offset, total-1)
	end := min(offset+uint64(min(room.payload, room.target)), total)
	if room.exact {
		if end = room.end; end == 0 {
			end = total
		}
		if end <= offset || end > total || end-offset > uint64(room.payload) {
			return errMoved
		}
	}
	data := b.Blob
	if len(data) > 0 {
		data = data[offset:end]
	} else {
		var err error
		if f.part, err = f.blocks.piece(f.part[:0], b.First, b.Size, offset, end); err != nil {
			return err
		}
		data, end = f.part, offset+uint64(len(f.part))
	}
	out.data.Piece = &wire.Piece{First: b.First, Offset: offset, Total: total, Data: data}
	out.data.Last = b.Last
	out.frame.Bytes = int(end - offset)
	if end == total {
		out.data.Skips = append(out.data.Skips, skips...)
		out.frame.Last, out.frame.Messages = lane.Position{Run: b.Run, Seq: b.Last}, int(b.Count())
	} else {
		out.frame.LastOffset = end
	}
	return nil
}
