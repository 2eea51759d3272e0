package inbox

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// badCopies is how many copies of a batch have to come that are damaged alike, until it is given up: what a bad link does to each is different.
const badCopies = 3

// bad is a batch that came damaged.
type bad struct {
	first, last uint64
	blob        []byte
	cause       string
	fault       wire.Fault
}

// newBad names what is wrong with the batch of a frame.
func newBad(first, last uint64, blob []byte, err error) bad {
	return bad{first, last, blob, err.Error(), wire.FaultOf(err)}
}

// suspect counts the copies of what came damaged on a channel. A frame, or a batch put together from pieces, counts as one; all that is
// damaged of it has to be the same.
type suspect struct {
	digest [sha256.Size]byte
	copies int
	// The sender's engine time when the last of them left: a frame that the network repeats is no other copy. Pieces are put together once in a session.
	sent int64
}

// badOf lists what of a frame is damaged, in ascending order.
func badOf(d *wire.Data, damaged []wire.Damage) (list []bad) {
	for _, w := range damaged {
		c := &d.Batches[w.Index]
		list = append(list, newBad(c.First, c.Last, c.Blob, w.Err))
	}
	return list
}

// condemn counts one more copy of what came damaged, and tells whether it is to be given up. l.mu is held.
func (l *receiver) condemn(d *wire.Data, list []bad) bool {
	now := suspect{digest: digest(d.Run, list), copies: 1, sent: d.EngineNow}
	if before, ok := l.suspects[d.Channel]; ok && before.digest == now.digest {
		if now.copies = before.copies; now.sent != before.sent || d.Piece != nil {
			now.copies++
		}
	}
	if now.copies >= badCopies {
		return true
	}
	l.suspects[d.Channel] = now
	l.box.reject(list[0].fault, l.node, d.Channel, fmt.Sprintf("data: copy %d of messages %d to %d that is like this: %v", now.copies, list[0].first, list[0].last, list[0].cause))
	return false
}

// digest names what came damaged: the sequences and the bytes.
func digest(run store.ID, list []bad) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(run[:])
	var head [24]byte
	for i := range list {
		b := &list[i]
		binary.BigEndian.PutUint64(head[:], b.first)
		binary.BigEndian.PutUint64(head[8:], b.last)
		binary.BigEndian.PutUint64(head[16:], uint64(len(b.blob)))
		h.Write(head[:])
		h.Write(b.blob)
	}
	h.Sum(sum[:0])
	return sum
}

// giveUp makes what came damaged a part of the skips, as far as it is not skipped anyway.
func (it *item) giveUp(list []bad) {
	for _, b := range list {
		if b.last > it.from {
			it.skips = withCorrupt(it.skips, b.first, b.last)
			it.bad = append(it.bad, b)
		}
	}
}

// withCorrupt adds the sequences from first to last, as corrupt, to skips that ascend without overlap; what they hold stays theirs.
func withCorrupt(skips []wire.Skip, first, last uint64) []wire.Skip {
	out := make([]wire.Skip, 0, len(skips)+1)
	for _, r := range received(first, last, skips) {
		out = append(out, wire.Skip{From: r.From, To: r.To, Count: r.To - r.From + 1, Reason: wire.Corrupt})
	}
	out = append(out, skips...)
	slices.SortFunc(out, func(a, b wire.Skip) int { return cmp.Compare(a.From, b.From) })
	return out
}

// spoilt gives up what of the i-th batch cannot be decoded, from a sequence on, and returns the skips that are left, with that.
func (l *receiver) spoilt(it *item, i int, from uint64, skips []wire.Skip, err error) []wire.Skip {
	h := &it.batches[i].Head
	if h.Last <= it.from {
		return skips
	}
	if err == nil {
		err = errEnds
	}
	it.bad = append(it.bad, newBad(h.First, h.Last, it.blobs[i], err))
	slices.SortFunc(it.bad, func(a, b bad) int { return cmp.Compare(a.first, b.first) })
	return withCorrupt(skips, from, h.Last)
}

var errEnds = fmt.Errorf("%w: the batch ends before its last message", wire.ErrMalformed)

// keep has the batches that came damaged, and begin at or before a sequence, put on record with the next commit of the channel's place, which is
// the one that moves past them.
func (l *receiver) keep(it *item, upTo uint64) {
	for len(it.bad) > 0 && it.bad[0].first <= upTo {
		b := it.bad[0]
		it.bad = it.bad[1:]
		l.box.opt.Event(Event{Kind: BatchCorrupt, Node: l.node, Channel: it.channel, Detail: fmt.Sprintf("messages %d to %d: %s", b.first, b.last, b.cause)})
		l.mu.Lock()
		if p := l.progress[it.channel]; p != nil && p.join == it.join {
			p.bad = append(p.bad, store.BadBatch{Sender: l.key.sender, Node: l.node, Channel: it.channel, Run: it.run, First: b.first, Last: b.last,
				Found: time.Now().UnixMilli(), Cause: b.cause, Blob: b.blob})
		}
		l.mu.Unlock()
	}
}
