package outbox

import (
	"math"
	"slices"

	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Overflow says what happens when a reader's queue is at its limit.
type Overflow uint8

const (
	Reject     Overflow = iota // the send is refused, for all readers
	DropOldest                 // the reader's oldest message ends as overflow
	DropNewest                 // the reader does not get the new message
)

// shed is what one reader's overflow has skipped and the reader has not confirmed yet, in ascending order.
type shed struct {
	ranges []store.SkipRange
	counts []uint64
}

// passed forgets what the reader's position has passed.
func (s *shed) passed(position uint64) {
	for len(s.ranges) > 0 && s.ranges[0].To <= position {
		s.ranges, s.counts = s.ranges[1:], s.counts[1:]
	}
}

func (s *shed) count() (n uint64) {
	for _, c := range s.counts {
		n += c
	}
	return n
}

func (s *shed) clone() *shed {
	return &shed{ranges: slices.Clone(s.ranges), counts: slices.Clone(s.counts)}
}

// end is the last sequence that is skipped, position if none is.
func (s *shed) end(position uint64) uint64 {
	if n := len(s.ranges); n > 0 {
		return s.ranges[n-1].To
	}
	return position
}

// overflow enforces the limit after messages were stored, for every reader that has more than that waiting, or for those yet to come while
// there is none. It runs on the writer's
// goroutine. What is skipped was durable a moment before; a reader that got it meanwhile keeps it.
func (b *Outbox) overflow(segments []store.Segment) {
	seen := map[string]bool{}
	var tx store.Tx
	for _, s := range segments {
		if !seen[s.Channel] {
			seen[s.Channel] = true
			tx.Skips = append(tx.Skips, b.ledger.excess(s.Channel, b.opt.Overflow)...)
		}
	}
	if len(tx.Skips) == 0 {
		return
	}
	tx.Must = true
	tx.Done = func(error) { b.Appended() }
	b.log.Submit(&tx)
}

// excess returns the skips that bring every reader of a channel back to the limit, and counts on them. It reads the log without the lock.
func (l *ledger) excess(channel string, policy Overflow) (skips []store.SkipRange) {
	head, ok := l.log.Head(channel)
	if !ok {
		return nil
	}
	l.mu.Lock()
	rows := l.tally(channel).waiting(channel, head) // what is skipped for those yet to come is so for all: the first reader will count it
	l.mu.Unlock()
	for _, r := range rows {
		s := l.shedOf(&r)
		waiting := head.Total - min(r.Done+s.count(), head.Total)
		if waiting <= l.limit {
			continue
		}
		skip := store.SkipRange{Store: r.Store, Channel: channel, Join: r.Join, Reason: uint8(wire.Overflow)}
		if !l.choose(&skip, s.end(r.Position), head, waiting-l.limit, policy) {
			continue
		}
		l.addShed(&r, skip, waiting-l.limit)
		skips = append(skips, skip)
	}
	return skips
}

// choose places a skip over n messages: the oldest after a sequence, or the newest.
func (l *ledger) choose(skip *store.SkipRange, after uint64, head store.Head, n uint64, policy Overflow) bool {
	skip.From, skip.To = after+1, head.Last
	if policy == DropNewest {
		from, err := l.sequence(skip.Channel, head.Last, head.Total-n+1, false)
		skip.From = max(skip.From, from)
		return err == nil
	}
	base, err := l.log.Upto(skip.Channel, after)
	if err != nil {
		return false // the next send tries again
	}
	skip.To, err = l.sequence(skip.Channel, after, base+n, true)
	return err == nil && skip.To >= skip.From
}

// sequence finds the channel's nth message, looking from a sequence near it upwards or downwards, ever further.
func (l *ledger) sequence(channel string, near, nth uint64, up bool) (uint64, error) {
	low, high := uint64(1), near // the answer is in (low-1, high]
	if up {
		low = near + 1
	}
	for step := uint64(1); ; step *= 2 {
		if up {
			high = near + step
		} else {
			low = near - min(near-1, step)
		}
		n, err := l.log.Upto(channel, pick(up, high, low-1))
		if err != nil {
			return 0, err
		}
		if up == (n >= nth) || !up && low == 1 {
			break
		}
		if up {
			low = high + 1
		} else {
			high = low - 1
		}
	}
	for low < high {
		middle := low + (high-low)/2
		n, err := l.log.Upto(channel, middle)
		switch {
		case err != nil:
			return 0, err
		case n >= nth:
			high = middle
		default:
			low = middle + 1
		}
	}
	return low, nil
}

func pick(first bool, a, b uint64) uint64 {
	if first {
		return a
	}
	return b
}

// shedOf finds what a reader's overflow has skipped; after a restart the store knows. It returns a copy.
func (l *ledger) shedOf(r *store.Reader) *shed {
	l.mu.Lock()
	known := l.sheds[keyOf(r)]
	if known != nil {
		known.passed(r.Position)
		known = known.clone()
	}
	l.mu.Unlock()
	if known != nil {
		return known
	}
	s, err := l.readShed(r)
	if err == nil {
		l.noteShed(r, s.clone())
	}
	return s
}

// readShed reads from the log what is skipped for a reader behind its position. On an error some of it may be missing.
func (l *ledger) readShed(r *store.Reader) (*shed, error) {
	s := &shed{}
	ranges, err := l.log.Skips(r.Channel, r.Store, r.Join, r.Position+1, math.MaxInt64)
	for _, x := range ranges {
		x.From = max(x.From, r.Position+1)
		before, e1 := l.log.Upto(r.Channel, x.From-1)
		if x.From == r.Position+1 {
			before = r.Done // the log may be pruned beyond
		}
		upto, e2 := l.log.Upto(r.Channel, x.To)
		if e1 == nil && e2 == nil && upto > before {
			s.ranges, s.counts = append(s.ranges, x), append(s.counts, upto-before)
		}
	}
	return s, err
}

// noteShed puts what was read in the place of what is known to be skipped for a reader. What is known behind it stays: it is on its way to the
// store.
func (l *ledger) noteShed(r *store.Reader, read *shed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.rows[keyOf(r)]
	if now == nil && r.Store != (store.ID{}) {
		return // it is gone meanwhile
	}
	if known := l.sheds[keyOf(r)]; known != nil {
		for i, x := range known.ranges {
			if x.From > read.end(0) {
				read.ranges, read.counts = append(read.ranges, x), append(read.counts, known.counts[i])
			}
		}
	}
	read.passed(r.Position)
	if now != nil {
		read.passed(now.Position)
	}
	l.sheds[keyOf(r)] = read
}

// addShed counts on a skip that is on its way to the store.
func (l *ledger) addShed(r *store.Reader, skip store.SkipRange, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sheds[keyOf(r)]; s != nil {
		s.ranges, s.counts = append(s.ranges, skip), append(s.counts, n)
	}
}
