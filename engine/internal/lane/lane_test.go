package lane

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is a sender's log, its two lane machines, and a network between them that loses, repeats and reorders.
type world struct {
	t       *rapid.T
	log     []entry
	runs    []ID // run of each log entry is runs[entry.run]
	now     Now
	session uint64

	sender    *Sender
	receiver  *Receiver
	bound     uint64 // the session the receiver is in
	frames    []sent // under way
	statuses  []report
	committed map[string][]Position // durable at the receiver, newest run first
	taken     []uint64              // sequences handed over, in order, since the receiver last started
	handled   map[string]uint64     // per channel, the last sequence handed over ever
	total     int
}

type entry struct {
	channel           string
	first, last, prev uint64
	run               int
	pieces            uint64 // more than 1: it goes in as many frames, of pieceSize each
}

const pieceSize = 10

type sent struct {
	session uint64
	arrival Arrival
	open    bool
}

type report struct {
	session   uint64
	opened    bool
	received  uint64
	gap       bool
	committed map[string]Position
	starts    []Start
}

var channels = []string{"a", "b", "c"}

func limits() Limits {
	return Limits{Messages: 20, Bytes: 1 << 20, Probe: 200 * time.Millisecond, Progress: 10 * time.Second, MaxWait: 5 * time.Minute, Retry: 250 * time.Millisecond, MaxRetry: 5 * time.Second}
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, runs: []ID{{1}}, sender: NewSender(limits()), receiver: NewReceiver(), committed: map[string][]Position{}, handled: map[string]uint64{}}
	for _, c := range channels {
		w.receiver.Load(c, 1, nil)
	}
	w.begin()
	return w
}

func (w *world) begin() {
	w.session++
	w.sender.Begin(w.now, w.session)
}

func (w *world) append(t *rapid.T) {
	next, prev := uint64(1), uint64(0)
	channel := rapid.SampledFrom(channels).Draw(t, "channel")
	for _, e := range w.log {
		next = e.last + 1
		if e.channel == channel {
			prev = e.last
		}
	}
	w.log = append(w.log, entry{channel, next, next + uint64(rapid.IntRange(0, 5).Draw(t, "more")), prev, len(w.runs) - 1, rapid.SampledFrom([]uint64{1, 1, 1, 4}).Draw(t, "pieces")})
}

// pump does what the owner of a Sender does.
func (w *world) pump(t *rapid.T) {
	switch w.sender.Due(w.now) {
	case Open:
		w.frames = append(w.frames, sent{session: w.session, open: true})
	case Probe:
		w.frames = append(w.frames, sent{session: w.session, arrival: Arrival{Number: w.sender.Last(), Channel: "a", Join: 1, Empty: true}})
	case Reopen:
		w.begin()
	case None:
	}
	for w.sender.Room() {
		f, ok := w.sender.Again()
		if !ok {
			f, ok = w.next(rapid.IntRange(1, 3).Draw(t, "entries"))
		}
		if !ok {
			return
		}
		n := w.sender.Sent(w.now, f)
		w.frames = append(w.frames, sent{session: w.session, arrival: w.arrival(n, f)})
	}
}

func (w *world) arrival(n uint64, f Frame) Arrival {
	a := Arrival{Number: n, Channel: f.Channel, Join: 1, Prev: f.Prev, Run: f.Last.Run, Last: f.Last.Seq}
	if f.PrevOffset == 0 && f.LastOffset == 0 {
		return a
	}
	for _, e := range w.log { // a piece bears the range of its whole batch
		if e.channel == f.Channel && e.last > f.Prev.Seq {
			a.Run, a.Last = w.runs[e.run], e.last
			a.Piece = &Piece{Offset: f.PrevOffset, Length: pieceSize, Total: e.pieces * pieceSize}
			return a
		}
	}
	w.t.Fatalf("frame %+v is of no batch", f)
	return a
}

// next makes a frame of up to so many entries of one channel and run that follow each other in the log.
func (w *world) next(most int) (f Frame, ok bool) {
	for i := range w.log {
		e := &w.log[i]
		c, carried := w.sender.Cursor(e.channel)
		last := Position{w.runs[e.run], e.last}
		switch {
		case carried && e.last <= c.Position.Seq, !carried:
		case !ok && e.pieces > 1:
			f = Frame{Channel: e.channel, Prev: c.Position, PrevOffset: c.Offset, Last: c.Position, LastOffset: c.Offset + pieceSize, Bytes: pieceSize}
			if f.LastOffset == e.pieces*pieceSize {
				f.Last, f.LastOffset, f.Messages = last, 0, int(e.last-e.first+1)
			}
			return f, true
		case e.pieces > 1:
			return f, true
		case !ok:
			f, ok = Frame{Channel: e.channel, Prev: c.Position, Last: last, Messages: int(e.last - e.first + 1), Bytes: 10}, true
		case most > 1 && e.channel == f.Channel && last.Run == f.Last.Run:
			f.Last, f.Messages = last, f.Messages+int(e.last-e.first+1)
		default:
			return f, true
		}
		if ok {
			most--
		}
		if ok && most == 0 {
			return f, true
		}
	}
	return f, ok
}

func pick[T any](t *rapid.T, list *[]T, label string) (T, bool) {
	var zero T
	if len(*list) == 0 {
		return zero, false
	}
	i := rapid.IntRange(0, min(len(*list)-1, 3)).Draw(t, label)
	x := (*list)[i]
	if rapid.IntRange(0, 9).Draw(t, "again") > 0 { // else it will arrive once more
		*list = slices.Delete(*list, i, i+1)
	}
	return x, true
}

func (w *world) deliverFrame(t *rapid.T) {
	f, ok := pick(t, &w.frames, "frame")
	if !ok {
		return
	}
	if f.open {
		if f.session > w.bound {
			w.bound = f.session
			w.receiver.Open()
		}
		if f.session == w.bound {
			w.answer()
		}
		return
	}
	if f.session != w.bound {
		return
	}
	v, from := w.receiver.Arrive(f.arrival)
	switch v {
	case Take:
		if p := f.arrival.Piece; p == nil || p.Offset+p.Length == p.Total {
			w.take(f.arrival, from)
		}
	case Stale:
		t.Fatalf("a frame of the present session is stale: %+v", f.arrival)
	case Missing:
		w.report(true)
	case Duplicate:
		w.report(false)
	}
}

func (w *world) take(a Arrival, from uint64) {
	for _, e := range w.log {
		if e.channel != a.Channel || e.last > a.Last {
			continue
		}
		for seq := max(e.first, from+1); seq <= e.last; seq++ {
			w.hand(a.Channel, seq)
		}
	}
}

// hand checks the promise: within one life of the receiver every message once, in the order of the log; over its lives no hole.
func (w *world) hand(channel string, seq uint64) {
	if n := len(w.taken); n > 0 && w.taken[n-1] >= seq {
		w.t.Fatalf("%d handed over after %d", seq, w.taken[n-1])
	}
	var before uint64
	for _, e := range w.log {
		for s := e.first; e.channel == channel && s <= e.last && s < seq; s++ {
			before = s
		}
	}
	if w.handled[channel] < before {
		w.t.Fatalf("channel %s: %d handed over, but %d never was", channel, seq, before)
	}
	w.taken = append(w.taken, seq)
	if seq > w.handled[channel] {
		w.handled[channel] = seq
		w.total++
	}
}

func (w *world) commit(t *rapid.T) {
	for _, c := range channels {
		p, _ := w.receiver.Place(c)
		if p.Received.Seq == 0 {
			continue
		}
		list := w.committed[c]
		if len(list) > 0 && list[0].Run == p.Received.Run {
			list = list[1:]
		}
		w.committed[c] = append([]Position{p.Received}, list...)
	}
	w.report(false)
}

func (w *world) report(gap bool) {
	r := report{session: w.bound, received: w.receiver.Received(), gap: gap, committed: map[string]Position{}}
	for c, list := range w.committed {
		r.committed[c] = list[0]
	}
	w.statuses = append(w.statuses, r)
}

func (w *world) answer() {
	r := report{session: w.bound, opened: true}
	for _, c := range channels {
		s := Start{Channel: c}
		if list := w.committed[c]; len(list) > 0 {
			s.Committed = list[0]
		}
		p, _ := w.receiver.Place(c)
		s.Received, s.Offset = p.Received, p.Piece
		r.starts = append(r.starts, s)
	}
	w.statuses = append(w.statuses, r)
}

func (w *world) deliverStatus(t *rapid.T) {
	r, ok := pick(t, &w.statuses, "status")
	switch {
	case !ok:
	case r.opened:
		w.sender.Opened(w.now, r.session, r.starts)
	default:
		w.sender.Status(w.now, r.session, r.received, r.gap, false, r.committed)
	}
}

func (w *world) lose(t *rapid.T) {
	if len(w.frames) > 0 {
		i := rapid.IntRange(0, len(w.frames)-1).Draw(t, "lost frame")
		w.frames = slices.Delete(w.frames, i, i+1)
	}
	if len(w.statuses) > 0 {
		i := rapid.IntRange(0, len(w.statuses)-1).Draw(t, "lost status")
		w.statuses = slices.Delete(w.statuses, i, i+1)
	}
}

func (w *world) crashReceiver(*rapid.T) {
	w.receiver, w.taken, w.bound = NewReceiver(), nil, 0
	for _, c := range channels {
		w.receiver.Load(c, 1, w.committed[c])
	}
	w.begin() // its new run is announced
}

func (w *world) crashSender(*rapid.T) {
	w.runs = append(w.runs, ID{byte(len(w.runs) + 1), byte(len(w.runs) >> 8)})
	w.sender = NewSender(limits())
	w.begin()
}

func (w *world) tick(t *rapid.T) {
	w.now += time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond
}

func (w *world) size() (n int) {
	for _, e := range w.log {
		n += int(e.last - e.first + 1)
	}
	return n
}

// heal lets everything through until nothing is left to do.
func (w *world) heal(t *rapid.T) {
	for range 10000 {
		w.pump(t)
		for len(w.frames) > 0 {
			f := w.frames
			w.frames = f[:1:1]
			rest := f[1:]
			w.deliverFrame(t)
			w.frames = append(w.frames, rest...)
		}
		w.commit(t)
		for len(w.statuses) > 0 {
			w.deliverStatus(t)
		}
		if messages, _ := w.sender.InFlight(); w.total == w.size() && messages == 0 && w.sender.Phase() == Streaming {
			return
		}
		w.now += 100 * time.Millisecond
	}
	t.Fatalf("after healing %d of %d messages were handed over; the sender is %+v", w.total, w.size(), w.sender)
}

func TestEveryMessageOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"append": w.append, "pump": w.pump, "frame": w.deliverFrame, "frame again": w.deliverFrame, "commit": w.commit,
			"status": w.deliverStatus, "lose": w.lose, "crash receiver": w.crashReceiver, "crash sender": w.crashSender, "tick": w.tick,
		})
		w.heal(t)
	})
}

func TestSenderHalvesWindowWithoutProgress(t *testing.T) {
	s := NewSender(limits())
	s.Begin(0, 1)
	if s.Due(0) != Open {
		t.Fatal("a new session opens at once")
	}
	s.Opened(0, 1, []Start{{Channel: "a"}})
	s.Sent(0, Frame{Channel: "a", Last: Position{Seq: 20}, Messages: 20})
	if s.Room() {
		t.Fatal("the window holds 20 messages")
	}
	if got := s.Due(200 * time.Millisecond); got != Probe {
		t.Fatalf("after 200 ms of silence: %v, want a probe", got)
	}
	s.Status(9*time.Second, 1, 0, false, true, nil)
	if got := s.Due(11 * time.Second); got == Reopen {
		t.Fatal("a receiver that works has made progress")
	}
	if got := s.Due(20 * time.Second); got != Reopen {
		t.Fatalf("after 10 s without progress: %v, want a new session", got)
	}
	s.Begin(20*time.Second, 2)
	s.Opened(20*time.Second, 2, []Start{{Channel: "a"}})
	s.Sent(20*time.Second, Frame{Channel: "a", Last: Position{Seq: 10}, Messages: 10})
	if s.Room() {
		t.Fatal("the window was halved to 10")
	}
}

func TestReceiverResumesInsideABatch(t *testing.T) {
	r := NewReceiver()
	r.Load("a", 1, nil)
	r.Open()
	run := ID{1}
	piece := func(n, offset, length uint64) Arrival {
		return Arrival{Number: n, Channel: "a", Join: 1, Run: run, Last: 1, Piece: &Piece{offset, length, 30}}
	}
	if v, _ := r.Arrive(piece(1, 0, 10)); v != Take {
		t.Fatalf("first piece: %v", v)
	}
	r.Open()
	if p, _ := r.Place("a"); p.Piece != 10 || p.Received.Seq != 0 {
		t.Fatalf("place after a new session: %+v", p)
	}
	if v, _ := r.Arrive(piece(1, 10, 20)); v != Take {
		t.Fatalf("the rest: %v", v)
	}
	if p, _ := r.Place("a"); p.Piece != 0 || p.Received != (Position{run, 1}) {
		t.Fatalf("place after the whole: %+v", p)
	}
}

func TestReceiverSeesReusedSequencesAsNew(t *testing.T) {
	old, fresh := ID{1}, ID{2}
	r := NewReceiver()
	r.Load("a", 1, []Position{{old, 100}})
	r.Open()
	v, from := r.Arrive(Arrival{Number: 1, Channel: "a", Join: 1, Prev: Position{old, 50}, Run: fresh, Last: 60})
	if v != Take || from != 50 {
		t.Fatalf("sequences 51 to 60 of a new run, after 100 of the old: %v from %d", v, from)
	}
}

func TestSenderGoesBackToTheMissingFrame(t *testing.T) {
	s := NewSender(limits())
	s.Begin(0, 1)
	s.Due(0)
	s.Opened(0, 1, []Start{{Channel: "a"}, {Channel: "b"}})
	run := ID{1}
	s.Sent(0, Frame{Channel: "a", Last: Position{run, 1}, Messages: 1})
	s.Sent(0, Frame{Channel: "b", Last: Position{run, 2}, Messages: 1})
	s.Sent(0, Frame{Channel: "a", Prev: Position{run, 1}, Last: Position{run, 3}, Messages: 1})
	s.Status(time.Millisecond, 1, 1, true, false, nil)
	a, _ := s.Cursor("a")
	b, _ := s.Cursor("b")
	if a.Position.Seq != 1 || b.Position.Seq != 0 || s.Last() != 1 {
		t.Fatalf("after a gap behind frame 1: a at %d, b at %d, last frame %d", a.Position.Seq, b.Position.Seq, s.Last())
	}
	s.Sent(2*time.Millisecond, Frame{Channel: "b", Last: Position{run, 2}, Messages: 1})
	s.Status(3*time.Millisecond, 1, 1, true, false, nil)
	if s.Last() != 2 {
		t.Fatal("the same complaint again must not send everything again at once")
	}
}

// TestCommitInLaterRunEndsFramesOfEarlierOne: a status tells only the newest run's place, and that may skip over an earlier run whose
// frames are in flight too.
func TestCommitInLaterRunEndsFramesOfEarlierOne(t *testing.T) {
	one, two := ID{1}, ID{2}
	s := NewSender(Limits{Messages: 10, Bytes: 1 << 20, Probe: time.Second, Progress: 10 * time.Second, Retry: time.Second, MaxRetry: time.Second})
	s.Begin(0, 1)
	s.Opened(0, 1, []Start{{Channel: "c", Committed: Position{one, 5}, Received: Position{one, 5}}})
	s.Sent(0, Frame{Channel: "c", Prev: Position{one, 5}, Last: Position{one, 9}, Messages: 4})
	s.Sent(0, Frame{Channel: "c", Prev: Position{one, 9}, Last: Position{two, 20}, Messages: 11})
	s.Status(0, 1, 2, false, false, map[string]Position{"c": {two, 12}})
	if n, _ := s.InFlight(); n != 11 {
		t.Errorf("%d messages in flight, want those of the later run, 11", n)
	}
	s.Status(0, 1, 2, false, false, map[string]Position{"c": {two, 20}})
	if n, _ := s.InFlight(); n != 0 || !s.Room() {
		t.Errorf("%d messages in flight, want none", n)
	}
}

func TestSenderAsksForWhatAnEarlierSessionLeftUncommitted(t *testing.T) {
	s := NewSender(limits())
	s.Begin(0, 2)
	s.Due(0)
	run := ID{1}
	s.Opened(0, 2, []Start{{Channel: "a", Committed: Position{run, 3}, Received: Position{run, 5}}, {Channel: "b"}})
	if at, ok := s.Next(); !ok || at > 200*time.Millisecond || s.Due(200*time.Millisecond) != Probe {
		t.Fatal("messages that were taken and not committed are not asked for")
	}
	s.Status(300*time.Millisecond, 2, 0, false, false, map[string]Position{"a": {run, 5}})
	if _, ok := s.Next(); ok {
		t.Fatal("something is still awaited after everything was committed")
	}
}

// TestPiecesOfAPlaceNotKnownHere: the first batch of a session may begin behind a sequence that this receiver never had, all of its pieces.
func TestPiecesOfAPlaceNotKnownHere(t *testing.T) {
	r := NewReceiver()
	r.Load("a", 1, nil)
	r.Open()
	for n := range uint64(3) {
		a := Arrival{Number: n + 1, Channel: "a", Join: 1, Prev: Position{ID{1}, 7}, Run: ID{1}, Last: 8, Piece: &Piece{10 * n, 10, 30}}
		if v, _ := r.Arrive(a); v != Take {
			t.Fatalf("piece %d: %v", n, v)
		}
	}
}

// TestPieceIsJudgedByItsRun: of a batch that came in pieces, only what is new in its own run is new, wherever the frame says it begins.
func TestPieceIsJudgedByItsRun(t *testing.T) {
	old, fresh := ID{1}, ID{2}
	load := func() *Receiver {
		r := NewReceiver()
		r.Load("a", 1, []Position{{fresh, 60}, {old, 40}})
		r.Open()
		return r
	}
	whole := Arrival{Number: 1, Channel: "a", Join: 1, Prev: Position{old, 40}, Run: fresh, Last: 70, Piece: &Piece{0, 30, 30}}
	if v, from := load().Arrive(whole); v != Take || from != 60 {
		t.Errorf("sequences up to 70 after 60: %v from %d, want what is behind 60", v, from)
	}
	whole.Last = 60
	if v, _ := load().Arrive(whole); v != Duplicate {
		t.Errorf("sequences up to 60 after 60: %v, want a duplicate", v)
	}
}

// TestPiecesFillTheWindowUntilTaken: a large batch obeys the window in bytes, and what the receiver has of it makes room for more.
func TestPiecesFillTheWindowUntilTaken(t *testing.T) {
	l := limits()
	l.Bytes = 100
	s := NewSender(l)
	s.Begin(0, 1)
	s.Due(0)
	s.Opened(0, 1, []Start{{Channel: "a"}})
	offset := uint64(0)
	send := func() (n int) {
		for s.Room() {
			s.Sent(0, Frame{Channel: "a", PrevOffset: offset, LastOffset: offset + 40, Bytes: 40})
			offset += 40
			n++
		}
		return n
	}
	if n := send(); n != 3 {
		t.Fatalf("%d pieces of 40 bytes into a window of 100, want 3", n)
	}
	s.Status(time.Millisecond, 1, 2, false, false, nil)
	if n := send(); n != 2 {
		t.Fatalf("%d more pieces after two were taken, want 2", n)
	}
	if n, bytes := s.InFlight(); bytes != 120 || n != 0 {
		t.Fatalf("%d bytes in flight, want those not taken, 120", bytes)
	}
}

// TestReceiptIsProgress: pieces that are taken keep a session alive, however long their batch needs.
func TestReceiptIsProgress(t *testing.T) {
	s := NewSender(limits())
	s.Begin(0, 1)
	s.Due(0)
	s.Opened(0, 1, []Start{{Channel: "a"}})
	for n := range uint64(20) {
		now := Now(n) * 9 * time.Second
		s.Sent(now, Frame{Channel: "a", PrevOffset: n, LastOffset: n + 1, Bytes: 1})
		if got := s.Due(now + 8*time.Second); got == Reopen {
			t.Fatalf("a new session after piece %d was taken", n)
		}
		s.Status(now+8*time.Second, 1, n+1, false, false, nil)
	}
	if got := s.Due(200 * time.Second); got != Reopen {
		t.Fatalf("%v after 21 s without progress, want a new session", got)
	}
}

// TestWindowFollowsTheLink: it doubles while frames get through quickly, and shrinks when they take seconds.
func TestWindowFollowsTheLink(t *testing.T) {
	s := NewSender(limits())
	s.Begin(0, 1)
	s.Due(0)
	s.Opened(0, 1, []Start{{Channel: "a"}})
	offset, now := uint64(0), Now(0)
	round := func(lag Now) (bytes int) {
		for s.Room() {
			n := s.FrameBytes()
			s.Sent(now, Frame{Channel: "a", PrevOffset: offset, LastOffset: offset + uint64(n), Bytes: n})
			offset += uint64(n)
			bytes += n
		}
		now += lag
		s.Status(now, 1, s.Last(), false, false, nil)
		return bytes
	}
	first := round(time.Millisecond)
	if second := round(time.Millisecond); second != 2*first {
		t.Errorf("%d bytes under way after %d got through quickly, want twice as many", second, first)
	}
	for range 20 {
		round(time.Millisecond)
	}
	if full := round(3 * time.Second); full != limits().Bytes {
		t.Errorf("%d bytes under way on a quick link, want the whole window, %d", full, limits().Bytes)
	}
	for range 20 {
		round(3 * time.Second)
	}
	if least := round(3 * time.Second); least > leastWindow {
		t.Errorf("%d bytes under way on a slow link, want at most %d", least, leastWindow)
	}
}
