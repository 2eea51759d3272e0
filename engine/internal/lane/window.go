package lane

import "time"

// A session begins with little under way and doubles that with every window that gets through quickly, so that a slow link is never
// given more than it moves in a few seconds, whatever the configured window: NATS drops a connection that is stuck for longer.
const (
	startWindow = 16 << 10
	leastWindow = 8 << 10
	leastFrame  = 4 << 10
	quickly     = 500 * time.Millisecond // from a frame's leaving to word that it was taken, above the least of the session
	slowly      = 2 * time.Second        // the same
)

// FrameBytes is what the next frame should have at most, so that at least two fit into what may be under way.
func (s *Sender) FrameBytes() int { return max(s.window/2, leastFrame) }

// took notes that the receiver has taken the frames up to received; it tells whether that is news.
func (s *Sender) took(now Now, received uint64) bool {
	if received <= s.received || received > s.number {
		return false
	}
	before := s.received
	s.received = received
	bytes, lag := 0, time.Duration(0)
	for i := range s.inflight {
		f := &s.inflight[i]
		if f.number <= before {
			continue
		}
		if f.number > received {
			break
		}
		bytes += f.Bytes
		lag = now - f.sentAt
		s.under -= f.Bytes
		if f.piece() || f.PrevOffset > 0 { // it lies in the receiver's account of large batches now
			s.bytes -= f.Bytes
			f.Bytes = 0
		}
	}
	s.fit(bytes, lag, received)
	return true
}

// fit makes the window what the link seems to bear.
func (s *Sender) fit(bytes int, lag time.Duration, received uint64) {
	if s.least == 0 || lag < s.least {
		s.least = lag
	}
	lag -= s.least
	switch {
	case lag <= quickly:
		s.window = min(s.window+bytes, s.limits.Bytes)
	case lag > slowly && received > s.narrowedAt:
		s.window = max(s.window/2, min(leastWindow, s.limits.Bytes))
		s.narrowedAt = s.number
	}
}

// out takes a frame out of the sums of what is in flight.
func (s *Sender) out(f *Frame) {
	s.messages -= f.Messages
	s.bytes -= f.Bytes
	if f.number > s.received {
		s.under -= f.Bytes
	}
}
