package lane

import (
	"cmp"
	"slices"
	"time"
)

// maxProbes is how many times Probe the pause between unanswered probes grows to.
const maxProbes = 16

// Limits bound a session.
type Limits struct {
	Messages int           // in flight, rounded up to one frame
	Bytes    int           // in flight, rounded up to one frame
	Probe    time.Duration // silence after the last frame before the receiver is asked where it stands
	Progress time.Duration // no progress for this long from a live reader: a new session
	MaxWait  time.Duration // the longest that Progress grows to
	Retry    time.Duration // the first wait between two opens
	MaxRetry time.Duration // the longest that Retry grows to
}

// Phase is where a Sender stands.
type Phase uint8

const (
	Closed    Phase = iota // nothing is sent
	Opening                // an open was sent, or is due; no data before its answer
	Streaming              // frames flow
)

// Action is what a Sender wants of its owner.
type Action uint8

const (
	None   Action = iota
	Open          // send an open for Session
	Probe         // send an empty frame with the number Last
	Reopen        // no progress: call Begin with a new session number
)

// Frame is what a Sender remembers of one frame in flight.
type Frame struct {
	Channel    string
	Prev       Position // where the frame begins
	PrevOffset uint64   // bytes of the batch after Prev that were sent before this frame
	Last       Position // where it ends
	LastOffset uint64   // bytes of the batch after Last that were sent with this frame (Last is Prev then)
	Messages   int
	Bytes      int
	number     uint64
	sentAt     Now
}

// piece tells whether the frame carries a part of a batch, but its end.
func (f *Frame) piece() bool { return f.LastOffset > 0 }

// Cursor is where the next frame of a channel begins.
type Cursor struct {
	Position Position
	Offset   uint64 // bytes of the batch after Position that are already sent
	Fresh    bool   // no frame of the channel was sent in this session yet
}

// Sender is the sending side of one lane.
type Sender struct {
	limits    Limits
	phase     Phase
	session   uint64
	number    uint64 // of the last frame sent
	cursors   map[string]*Cursor
	committed map[string]Position
	dropped   map[string]bool
	inflight  []Frame
	again     []Frame // to be sent again, each just as it was: the receiver may yet get the first copy of any of them
	broken    bool    // the session cannot go on
	messages  int
	bytes     int // what is in flight, without the pieces that the receiver has
	received  uint64
	under     int // bytes of the frames after received: they are under way, as far as is known

	wait       time.Duration // between opens
	probe      time.Duration // the present silence before a probe
	progress   time.Duration // the present progress timeout
	shrink     uint          // how often the window was halved
	window     int           // bounds under: what the link takes without a long delay, as far as is known
	least      time.Duration // the shortest time in the session from a frame's leaving to word that it was taken
	narrowedAt uint64        // the number of the last frame when the window was narrowed last
	openAt     Now
	heardAt    Now // last word from the receiver
	sentAt     Now // last frame or probe
	progressAt Now
	rewoundAt  Now
	rewoundTo  uint64
	rewound    bool
}

// NewSender returns a closed Sender.
func NewSender(l Limits) *Sender {
	return &Sender{limits: l, wait: l.Retry, progress: l.Progress}
}

// Phase tells where the lane stands.
func (s *Sender) Phase() Phase { return s.phase }

// Session is the number of the present session.
func (s *Sender) Session() uint64 { return s.session }

// Last is the number of the last frame sent in the session.
func (s *Sender) Last() uint64 { return s.number }

// InFlight counts the messages and bytes sent and not yet committed.
func (s *Sender) InFlight() (messages, bytes int) { return s.messages, s.bytes }

// Begin starts a new session, whose number must be greater than every one before. The open is due at once.
func (s *Sender) Begin(now Now, session uint64) {
	s.reset(Opening, session)
	s.openAt = now
	s.progressAt = now
}

// Close ends the session: the reader is away, or no channel is left.
func (s *Sender) Close() { s.reset(Closed, s.session) }

// Reset forgets back-offs: the network is back, or the reader is.
func (s *Sender) Reset() { s.wait, s.progress, s.shrink = s.limits.Retry, s.limits.Progress, 0 }

func (s *Sender) reset(p Phase, session uint64) {
	s.phase, s.session, s.number = p, session, 0
	s.cursors, s.committed, s.dropped = map[string]*Cursor{}, map[string]Position{}, map[string]bool{}
	s.inflight, s.messages, s.bytes = nil, 0, 0
	s.again, s.broken, s.rewound = nil, false, false
	s.received, s.under, s.window, s.narrowedAt = 0, 0, min(startWindow, s.limits.Bytes), 0
	s.least = 0
}

// Start is where a channel resumes: at Received, of which everything up to Committed is at its end.
type Start struct {
	Channel   string
	Committed Position
	Received  Position
	Offset    uint64
}

// Opened takes the answer to the open of the session; data may flow from now on. It reports whether the answer was awaited.
func (s *Sender) Opened(now Now, session uint64, starts []Start) bool {
	if s.phase != Opening || session != s.session {
		return false
	}
	s.phase, s.wait = Streaming, s.limits.Retry
	s.heardAt, s.sentAt, s.progressAt = now, now, now
	s.probe = s.limits.Probe
	for _, st := range starts {
		s.cursors[st.Channel] = &Cursor{Position: st.Received, Offset: st.Offset, Fresh: true}
		s.committed[st.Channel] = st.Committed
		if st.Received != st.Committed { // taken in an earlier session: its commit is awaited like that of a frame of this one
			s.inflight = append(s.inflight, Frame{Channel: st.Channel, Prev: st.Committed, Last: st.Received})
		}
	}
	return true
}

// Channels lists the channels of the session, sorted.
func (s *Sender) Channels() []string {
	names := make([]string, 0, len(s.cursors))
	for name := range s.cursors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Cursor tells where the channel's next frame begins; false if the session does not carry the channel.
func (s *Sender) Cursor(channel string) (Cursor, bool) {
	c, ok := s.cursors[channel]
	if !ok {
		return Cursor{}, false
	}
	return *c, true
}

// Drop takes a channel out of the session, because the receiver refuses it. Its frames stay numbered.
func (s *Sender) Drop(channel string) {
	delete(s.cursors, channel)
	s.dropped[channel] = true
	s.settle()
	s.checkAgain()
}

// checkAgain finds frames to be sent again that cannot be: their numbers stay empty, and the session cannot go on.
func (s *Sender) checkAgain() {
	s.broken = slices.ContainsFunc(s.again, func(f Frame) bool { return s.dropped[f.Channel] })
}

// Again returns the frame that has to be sent next because it went missing: with the same range, for it gets the same number. Otherwise
// the receiver could take a late first copy for it, and miss what only the second holds.
func (s *Sender) Again() (Frame, bool) {
	if len(s.again) == 0 {
		return Frame{}, false
	}
	return s.again[0], true
}

// Room tells whether another frame may be sent. At least one batch is always allowed in flight.
func (s *Sender) Room() bool {
	if s.phase != Streaming {
		return false
	}
	n := len(s.inflight)
	if n == 0 {
		return true
	}
	if s.under > 0 && s.under >= s.window {
		return false
	}
	if s.inflight[n-1].piece() { // the rest of a batch that was begun: nothing of it is committed before all of it has come
		return s.under == 0 || s.bytes < s.limits.Bytes>>s.shrink
	}
	return s.messages < s.limits.Messages>>s.shrink && s.bytes < s.limits.Bytes>>s.shrink
}

// Sent records a frame and returns its number.
func (s *Sender) Sent(now Now, f Frame) uint64 {
	s.number++
	f.number, f.sentAt = s.number, now
	c := s.cursors[f.Channel]
	*c = Cursor{Position: f.Last, Offset: f.LastOffset}
	if len(s.again) > 0 {
		s.again = s.again[1:]
	}
	if len(s.inflight) == 0 {
		s.progressAt = now
	}
	s.inflight = append(s.inflight, f)
	s.messages += f.Messages
	s.bytes += f.Bytes
	s.under += f.Bytes
	s.sentAt = now
	return s.number
}

// Status takes what the receiver says of the session: the last frame number it took, whether one is missing after it, whether
// its handlers are busy, and its committed positions, as places in the sender's own log, where sequences grow from run to run. It
// returns false if the status is of another session.
func (s *Sender) Status(now Now, session, received uint64, gap, busy bool, committed map[string]Position) bool {
	if s.phase != Streaming || session != s.session {
		return false
	}
	s.heardAt, s.probe = now, s.limits.Probe
	if busy {
		s.progressAt = now
	}
	took := s.took(now, received)
	if s.commit(committed) || took {
		s.progressed(now)
	}
	if gap && received == s.received { // else it was overtaken by a newer one
		s.rewind(now, received)
	}
	return true
}

// progressed notes that something got through. Once it does so well within the time allowed, what was changed for a slow link is undone
// step by step.
func (s *Sender) progressed(now Now) {
	if now-s.progressAt < s.progress/4 {
		s.progress = max(s.progress/2, s.limits.Progress)
		s.shrink -= min(s.shrink, 1)
	}
	s.progressAt = now
}

func (s *Sender) commit(committed map[string]Position) bool {
	for name, p := range committed {
		s.committed[name] = p
	}
	return s.settle()
}

// done tells whether nothing more is to be heard of a frame.
func (s *Sender) done(f *Frame) bool {
	p := s.committed[f.Channel]
	return s.dropped[f.Channel] || p.Seq >= f.Last.Seq
}

// settle removes what is done from the front of what is in flight. A frame that carries a piece of a batch goes with the one that
// ends the batch.
func (s *Sender) settle() bool {
	n := 0
	for i := range s.inflight {
		f := &s.inflight[i]
		if f.piece() && !s.dropped[f.Channel] {
			continue
		}
		if !s.done(f) {
			break
		}
		n = i + 1
	}
	for i := range s.inflight[:n] {
		s.out(&s.inflight[i])
	}
	s.inflight = slices.Delete(s.inflight, 0, n)
	return n > 0
}

// rewind makes the frames after received be sent again, under the same numbers. A repeated complaint about the same frame is
// heeded only after a while, for the frames sent because of the first are still under way.
func (s *Sender) rewind(now Now, received uint64) {
	if received >= s.number {
		return
	}
	if s.rewound && s.rewoundTo == received && now-s.rewoundAt < s.limits.Probe {
		return
	}
	s.rewound, s.rewoundTo, s.rewoundAt = true, received, now
	i, found := slices.BinarySearchFunc(s.inflight, received+1, func(f Frame, n uint64) int { return cmp.Compare(f.number, n) })
	if !found {
		return // committed since, or never sent
	}
	s.again = append(slices.Clone(s.inflight[i:]), s.again...)
	for j := len(s.inflight) - 1; j >= i; j-- {
		f := s.inflight[j]
		if c := s.cursors[f.Channel]; c != nil {
			*c = Cursor{Position: f.Prev, Offset: f.PrevOffset}
		}
		s.out(&f)
	}
	s.inflight = s.inflight[:i]
	s.number = received
	s.checkAgain()
}

// Due tells what is to be done at now. After Open and Probe it counts as done.
func (s *Sender) Due(now Now) Action {
	switch s.phase {
	case Opening:
		if now < s.openAt {
			return None
		}
		s.openAt = now + s.wait
		s.wait = min(2*s.wait, s.limits.MaxRetry)
		return Open
	case Streaming:
		if s.broken {
			return Reopen
		}
		if len(s.inflight) == 0 {
			return None
		}
		if now-s.progressAt >= s.progress {
			s.progress = min(2*s.progress, s.limits.MaxWait)
			if s.limits.Messages>>(s.shrink+1) > 0 {
				s.shrink++
			}
			return Reopen
		}
		if now-max(s.heardAt, s.sentAt) >= s.probe {
			s.sentAt, s.probe = now, min(2*s.probe, maxProbes*s.limits.Probe) // on a slow link probes would add up
			return Probe
		}
	case Closed:
	}
	return None
}

// Next is when Due should be asked again; false: not before something happens.
func (s *Sender) Next() (Now, bool) {
	switch {
	case s.phase == Opening:
		return s.openAt, true
	case s.phase == Streaming && s.broken:
		return 0, true
	case s.phase == Streaming && len(s.inflight) > 0:
		return min(s.progressAt+s.progress, max(s.heardAt, s.sentAt)+s.probe), true
	}
	return 0, false
}
