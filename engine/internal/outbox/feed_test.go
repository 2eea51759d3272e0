package outbox

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// fakeLog is a log in memory, of which a part may be pruned. Above large bytes a batch has to be read in parts.
type fakeLog struct {
	Log
	large   int
	batches []store.Batch
	total   map[string]uint64
	skips   []store.SkipRange
}

func (l *fakeLog) add(run store.ID, channel string, count uint64, size int, latest int64) {
	b := store.Batch{Run: run, Channel: channel, First: 1, Size: size, Latest: latest, Before: l.total[channel]}
	for _, old := range l.batches {
		b.First = old.Last + 1
		if old.Channel == channel {
			b.Prev = old.Last
		}
	}
	b.Last = b.First + count - 1
	if size <= l.large || l.large == 0 {
		b.Blob = content(b.First, 0, size)
	}
	l.total[channel] += count
	l.batches = append(l.batches, b)
}

func (l *fakeLog) Head(channel string) (h store.Head, ok bool) {
	for _, b := range l.batches {
		if b.Channel == channel {
			h, ok = store.Head{Last: b.Last, Total: b.Before + b.Count()}, true
		}
	}
	return h, ok
}

func (l *fakeLog) Newest() uint64 {
	if len(l.batches) == 0 {
		return 0
	}
	return l.batches[len(l.batches)-1].Last
}

func (l *fakeLog) Read(channel string, after uint64, maxBytes int) (list []store.Batch, _ error) {
	size := 0
	for _, b := range l.batches {
		if b.Channel == channel && b.Last > after && (len(list) == 0 || size+len(b.Blob) <= maxBytes) {
			list = append(list, b)
			size += len(b.Blob)
		}
	}
	return list, nil
}

// content is what a batch's blob holds, so that its bytes tell where they are from.
func content(first uint64, offset, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((int(first)*31 + offset + i) * 7 / 3)
	}
	return p
}

func (l *fakeLog) ReadBlob(first uint64, offset int64, p []byte) error {
	copy(p, content(first, int(offset), len(p)))
	return nil
}

func (l *fakeLog) Upto(channel string, seq uint64) (n uint64, _ error) {
	for _, b := range l.batches {
		if b.Channel == channel && b.First <= seq {
			n = b.Before + min(b.Last, seq) - b.First + 1
		}
	}
	return n, nil
}

func (l *fakeLog) Skips(channel string, _ store.ID, _, from, to uint64) (list []store.SkipRange, _ error) {
	for _, s := range l.skips {
		if s.Channel == channel && s.From <= to && s.To >= from {
			list = append(list, s)
		}
	}
	return list, nil
}

func streaming(channels ...string) *lane.Sender {
	m := lane.NewSender(lane.Limits{Messages: 1 << 30, Bytes: 1 << 40, Probe: time.Hour, Progress: time.Hour, MaxWait: time.Hour, Retry: time.Hour, MaxRetry: time.Hour})
	m.Begin(0, 1)
	m.Due(0)
	var starts []lane.Start
	for _, c := range channels {
		starts = append(starts, lane.Start{Channel: c})
	}
	m.Opened(0, 1, starts)
	return m
}

func testRoom(payload, messages int) frameRoom {
	return frameRoom{counted: func(_ string, seq uint64) (uint64, error) { return 0, nil }, payload: payload, target: frameTarget, messages: messages, now: 100, join: func(string) uint64 { return 1 }}
}

// TestFramesCoverTheLogInOrder: whatever the log looks like, its frames put together are the log: ascending over all channels, without a
// hole in any, and none above the payload.
func TestFramesCoverTheLogInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := &fakeLog{total: map[string]uint64{}, large: 1500}
		names := []string{"a", "b", "c"}
		for i := range rapid.IntRange(0, 30).Draw(t, "batches") {
			run := store.ID{byte(1 + i/10)}
			latest := rapid.SampledFrom([]int64{0, 0, 50, 500}).Draw(t, "latest")
			log.add(run, rapid.SampledFrom(names).Draw(t, "channel"), rapid.Uint64Range(1, 9).Draw(t, "count"), rapid.IntRange(1, 3000).Draw(t, "size"), latest)
		}
		m, f := streaming(names...), newFeed(log, &blocks{log: log, now: func() time.Duration { return 0 }}, store.ID{9}, func(Event) {})
		payload := rapid.IntRange(500, 5000).Draw(t, "payload")
		target := rapid.SampledFrom([]int{300, frameTarget}).Draw(t, "target")
		messages := rapid.IntRange(1, 20).Draw(t, "messages")
		var got []uint64
		pieces := 0
		for {
			room := testRoom(payload, messages)
			room.target = target
			out, err := f.next(m, room)
			if err != nil {
				t.Fatal(err)
			}
			if out == nil {
				break
			}
			checkFrame(t, log, out, payload)
			if p := out.data.Piece; p != nil {
				if b := log.at(out.data.Last); !bytes.Equal(p.Data, content(b.First, int(p.Offset), len(p.Data))) || int(p.Total) != b.Size {
					t.Fatalf("a piece of %d bytes of %d at %d is not what the batch at %d holds there", len(p.Data), p.Total, p.Offset, b.First)
				}
				pieces += len(p.Data)
				if p.Offset+uint64(len(p.Data)) == p.Total {
					got = append(got, out.data.Last)
				}
			}
			for _, b := range log.batches {
				if b.Channel == out.data.Channel && b.Last > out.data.Prev.Seq && b.Last <= out.data.Last && out.data.Piece == nil {
					got = append(got, b.Last)
				}
			}
			m.Sent(0, out.frame)
		}
		var want []uint64
		for _, b := range log.batches {
			want = append(want, b.Last)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("frames end batches %v, the log has %v", got, want)
		}
	})
}

func (l *fakeLog) at(last uint64) *store.Batch {
	i := slices.IndexFunc(l.batches, func(b store.Batch) bool { return b.Last == last })
	return &l.batches[i]
}

func checkFrame(t *rapid.T, log *fakeLog, out *built, payload int) {
	size, expired := 0, 0
	for _, b := range out.data.Batches {
		size += len(b.Blob)
	}
	if out.data.Piece != nil {
		size += len(out.data.Piece.Data)
	}
	if size > payload {
		t.Fatalf("a frame of %d bytes, the payload is %d", size, payload)
	}
	for _, b := range log.batches {
		if b.Channel == out.data.Channel && b.Last > out.data.Prev.Seq && b.Last <= out.data.Last {
			if b.Run != out.data.Run {
				t.Fatalf("a frame of run %x holds a batch of run %x", out.data.Run[0], b.Run[0])
			}
			if b.Latest == 50 {
				expired++
			}
		}
	}
	for _, s := range out.data.Skips {
		if s.Reason != wire.Expired || s.Count != s.To-s.From+1 {
			t.Fatalf("skip %+v", s)
		}
		expired--
	}
	if expired != 0 {
		t.Fatalf("%d expired batches are not skipped", expired)
	}
}

func TestWhatWasPrunedIsSkippedWithItsCount(t *testing.T) {
	log := &fakeLog{total: map[string]uint64{}}
	for range 4 {
		log.add(store.ID{1}, "a", 3, 10, 0)
		log.add(store.ID{1}, "b", 2, 10, 0)
	}
	log.batches = log.batches[4:] // sequences 1 to 10; of a: 1-3 and 6-8
	m, f := streaming("a"), newFeed(log, nil, store.ID{9}, func(Event) {})
	out, err := f.next(m, testRoom(1000, 100))
	if err != nil || out == nil {
		t.Fatal(out, err)
	}
	want := wire.Skip{From: 1, To: 8, Count: 6, Reason: wire.Pruned}
	if len(out.data.Skips) != 1 || out.data.Skips[0] != want || len(out.data.Batches) != 2 {
		t.Fatalf("skips %+v and %d batches, want %+v and 2", out.data.Skips, len(out.data.Batches), want)
	}
}

func TestStoredSkipsLieInsideTheirBatch(t *testing.T) {
	log := &fakeLog{total: map[string]uint64{}}
	log.add(store.ID{1}, "a", 10, 10, 0)
	log.add(store.ID{1}, "a", 10, 10, 0)
	log.skips = []store.SkipRange{{Channel: "a", From: 3, To: 4, Reason: uint8(wire.Purged)}, {Channel: "a", From: 9, To: 30, Reason: uint8(wire.Overflow)}}
	m, f := streaming("a"), newFeed(log, nil, store.ID{9}, func(Event) {})
	out, err := f.next(m, testRoom(1000, 100))
	if err != nil || out == nil {
		t.Fatal(out, err)
	}
	want := []wire.Skip{{From: 3, To: 4, Count: 2, Reason: wire.Purged}, {From: 9, To: 10, Count: 2, Reason: wire.Overflow}, {From: 11, To: 20, Count: 10, Reason: wire.Overflow}}
	if !slices.Equal(out.data.Skips, want) || len(out.data.Batches) != 1 {
		t.Fatalf("skips %+v and %d batches, want %+v and only the first batch", out.data.Skips, len(out.data.Batches), want)
	}
}

// TestSkipsGoWithTheLastPiece: of a batch in pieces too, what was skipped is not delivered.
func TestSkipsGoWithTheLastPiece(t *testing.T) {
	log := &fakeLog{total: map[string]uint64{}}
	log.add(store.ID{1}, "a", 10, 1000, 0)
	log.skips = []store.SkipRange{{Channel: "a", From: 3, To: 4, Reason: uint8(wire.Purged)}}
	m, f := streaming("a"), newFeed(log, nil, store.ID{9}, func(Event) {})
	for i := range 3 {
		out, err := f.next(m, testRoom(400, 100))
		if err != nil || out == nil || out.data.Piece == nil {
			t.Fatal(out, err)
		}
		if last := i == 2; last != (len(out.data.Skips) == 1) {
			t.Errorf("frame %d has the skips %+v", i, out.data.Skips)
		}
		m.Sent(0, out.frame)
	}
}
