package memconn

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// link is the way from one node to another.
type link struct{ from, to string }

type linkState struct {
	seed  uint64
	count uint64    // of messages so far
	free  time.Time // when the last one in order arrives
	busy  time.Time // until when what was sent takes the link's bandwidth
}

func (n *Network) link(l link) *linkState {
	s := n.links[l]
	if s == nil {
		h := fnv.New64a()
		_, _ = h.Write([]byte(l.from + " " + l.to))
		s = &linkState{seed: n.seed ^ h.Sum64()}
		n.links[l] = s
	}
	return s
}

// send puts one message on its way from one connection to a subscription of another, or loses it. n.mu is held.
func (n *Network) send(from, to *conn, pattern, subject string, data []byte) {
	l := link{from.name, to.name}
	s := n.link(l)
	s.count++
	draw := rand.New(rand.NewPCG(s.seed, s.count))
	hit := func(p float64, count *uint64) bool {
		// Drawn even when it cannot hit, so that one probability does not change what the others do.
		if draw.Float64() >= p {
			return false
		}
		*count++
		return true
	}
	f := &n.faults
	drop := hit(f.Drop, &n.counts.Dropped)
	if n.parted[l] && !drop {
		n.counts.Dropped++
		drop = true
	}
	if drop {
		return
	}
	copies := 1
	if hit(f.Duplicate, &n.counts.Duplicated) {
		copies = 2
	}
	now := time.Now()
	if hit(f.Stall, &n.counts.Stalled) {
		s.free = later(s.free, now).Add(f.StallFor)
	}
	for range copies {
		left := now
		if f.Bandwidth > 0 {
			s.busy = later(s.busy, now).Add(time.Duration(len(data)) * time.Second / time.Duration(f.Bandwidth))
			left = s.busy
		}
		due := later(s.free, left.Add(between(draw, f.MinDelay, f.MaxDelay)))
		if f.Rate > 0 {
			due = due.Add(time.Duration(len(data)) * time.Second / time.Duration(f.Rate))
		}
		if hit(f.Reorder, &n.counts.Reordered) {
			due = due.Add(between(draw, 0, f.ReorderBy))
		} else {
			s.free = due
		}
		body := append([]byte(nil), data...)
		if hit(f.Truncate, &n.counts.Truncated) && len(body) > 0 {
			body = body[:draw.IntN(len(body))]
		}
		if hit(f.Corrupt, &n.counts.Corrupted) && len(body) > 0 {
			for range 1 + draw.IntN(8) {
				body[draw.IntN(len(body))] ^= 1 << draw.IntN(8)
			}
		}
		n.launch(&flight{due: due, from: from, to: to, fromAge: from.age, toAge: to.age, pattern: pattern, message: item{subject: subject, data: body}})
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func between(draw *rand.Rand, low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(draw.Int64N(int64(high-low)+1))
}
