package outbox

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/getevo/rmds-router/engine/internal/failpoint"
	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// The lane's fixed times. Probing asks a silent receiver where it stands; it is cheap, so it is quick.
const (
	probeAfter = 200 * time.Millisecond
	openRetry  = 250 * time.Millisecond
	maxWait    = 5 * time.Minute
	maxRetry   = 5 * time.Second
	readRetry  = time.Second // after a failed read of the log
)

// stream is one lane: a goroutine around a lane.Sender. What others know (target, connection, status frames) is left in its
// mailbox; only the goroutine touches the machine.
type stream struct {
	box *Outbox
	key streamKey

	mu       sync.Mutex
	target   Target
	changed  bool // the target or the connection changed
	fresh    bool // the connection, or the reader's run, is new: back-offs are void
	up       bool
	statuses []*wire.Status
	after    []func()      // to be called behind them
	leaked   []store.Batch // of a planted bug
	denials  []denial
	listed   []Suspension // what is suspended, for others
	wake     chan struct{}
	since    time.Duration // when the target changed last
	gone     chan struct{} // closed when the stream is given up

	state atomic.Uint32 // see States

	// owned by run
	sessions  int // begun so far
	machine   *lane.Sender
	feed      *feed
	at        Target // the target of the present session
	reach     bool   // the reader can be reached
	suspended map[string]*suspension
	adrift    map[string]bool // channels of which the reader holds messages that this log has lost, until it reports one of this run
	frame     []byte          // scratch
	readAgain time.Duration   // when the log is to be read again after it could not; 0: at the next occasion
}

func newStream(b *Outbox, k streamKey, up bool) *stream {
	return &stream{box: b, key: k, up: up, wake: make(chan struct{}, 1), since: b.now(), gone: make(chan struct{}), suspended: map[string]*suspension{}, adrift: map[string]bool{}, feed: newFeed(b.log, b.blocks, k.reader, b.opt.Event),
		machine: lane.NewSender(lane.Limits{Messages: b.opt.MaxInFlight, Bytes: b.opt.MaxBytes, Probe: probeAfter, Progress: b.opt.AckTimeout, MaxWait: maxWait, Retry: openRetry, MaxRetry: maxRetry})}
}

func (s *stream) poke() { poke(s.wake) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *stream) retarget(t Target) {
	s.mu.Lock()
	if !s.target.same(&t) {
		s.fresh = s.fresh || t.Run != s.target.Run || t.Online && !s.target.Online
		s.changed, s.since = true, s.box.now()
		s.target = t
	}
	s.mu.Unlock()
	s.poke()
}

// retire ends the stream if it has had nobody to send to for so long.
func (s *stream) retire(now, patience time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed || len(s.after) > 0 || s.target.Online && len(s.target.Ready) > 0 || now-s.since < patience {
		return false
	}
	close(s.gone)
	return true
}

// recorded makes a new session take in joins that were put on record since.
func (s *stream) recorded() {
	s.mu.Lock()
	s.changed = true
	s.mu.Unlock()
	s.poke()
}

func (s *stream) connection(up bool) {
	s.mu.Lock()
	s.fresh = s.fresh || up
	s.changed = s.changed || !s.target.Local
	s.up = up
	s.mu.Unlock()
	s.poke()
}

// maxStatuses bounds the mailbox; statuses are totals, so the newest make the older ones needless.
const maxStatuses = 64

// status leaves a status frame in the mailbox; it returns what is wrong with it, or wire.Faults.
func (s *stream) status(from string, st *wire.Status) (wire.Fault, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case from != s.target.Node:
		return wire.Impostor, "status: with the store of " + s.target.Node
	case st.ReceiverRun != s.target.Run:
		return wire.Stale, "status: of a process that is gone"
	}
	if len(s.statuses) >= maxStatuses {
		s.statuses = s.statuses[1:]
	}
	s.statuses = append(s.statuses, st)
	s.poke()
	return wire.Faults, ""
}

func (s *stream) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.absorb()
		s.act()
		s.pump()
		s.note()
		timer.Reset(s.rest())
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.gone:
			return
		case <-s.box.ctx.Done():
			return
		}
	}
}

// rest is how long nothing needs to be done unless something happens.
func (s *stream) rest() time.Duration {
	next, ok := s.machine.Next()
	if !ok {
		next = s.box.now() + time.Hour
	}
	next = min(next, s.suspensionEnds())
	if s.readAgain > 0 {
		next = min(next, s.readAgain)
	}
	return max(next-s.box.now(), 0)
}

// absorb takes in what others left.
func (s *stream) absorb() {
	s.mu.Lock()
	changed, fresh, up, target, statuses, denials, after := s.changed, s.fresh, s.up, s.target, s.statuses, s.denials, s.after
	s.changed, s.fresh, s.statuses, s.denials, s.after = false, false, nil, nil, nil
	s.mu.Unlock()
	if changed {
		if fresh {
			s.machine.Reset()
		}
		s.at = target
		s.reach = (up || target.Local) && target.Online
		s.retry()
		s.begin()
	}
	for _, d := range denials {
		s.denied(d)
	}
	for _, st := range statuses {
		s.take(st)
	}
	for _, f := range after {
		f()
	}
	s.pardon()
}

// begin starts a session if there is something that it can carry, and otherwise ends the one that was.
func (s *stream) begin() {
	if !s.reach || len(s.channels()) == 0 {
		if s.machine.Phase() != lane.Closed {
			s.event(SessionClosed, "", "the reader cannot be reached, or takes nothing for now")
		}
		s.machine.Close()
		return
	}
	s.feed.reset()
	s.sessions++
	s.feed.fit = s.fit
	s.machine.Begin(s.box.now(), s.box.sessions.Add(1))
}

// channels lists what the session may carry: ready at the reader, recorded here, not suspended.
func (s *stream) channels() []wire.OpenChannel {
	var list []wire.OpenChannel
	for name, join := range s.at.Ready {
		if r := s.suspended[name]; r != nil && r.join == join && !r.trying {
			continue
		}
		if r, ok := s.box.ledger.reader(readerKey{s.key.reader, name, join}); ok && !r.Ended {
			list = append(list, wire.OpenChannel{Name: name, Join: join, Proof: r.Proof})
		}
	}
	return list
}

func (s *stream) act() {
	switch s.machine.Due(s.box.now()) {
	case lane.Open:
		s.open()
	case lane.Probe:
		d := wire.Data{Session: s.session(), ReceiverRun: s.at.Run, Number: s.machine.Last(), EngineNow: s.box.log.Now()}
		if names := s.machine.Channels(); len(names) > 0 {
			d.Channel, d.Join, d.Run = names[0], s.at.Ready[names[0]], s.box.log.Run()
			s.publish(&d)
		}
	case lane.Reopen:
		s.box.resent.Add(1)
		s.event(SessionStalled, "", "no progress; a new session begins")
		s.begin()
		s.act()
	case lane.None:
	}
}

func (s *stream) session() wire.Session {
	return wire.Session{Run: s.box.log.Run(), Counter: s.machine.Session()}
}

func (s *stream) open() {
	o := wire.Open{SenderStore: s.box.log.ID(), Session: s.session(), ReceiverStore: s.key.reader, ReceiverRun: s.at.Run,
		Scope: s.key.scope, EngineNow: s.box.log.Now(), Channels: s.channels()}
	// A frame that cannot be sent is like one that is lost: the machine asks again.
	_ = s.box.pub.Publish(s.box.opt.Subjects.Open(s.at.Node, s.box.opt.Node), o.Append(s.frame[:0]))
}

func (s *stream) publish(d *wire.Data) bool {
	s.frame = d.Append(s.frame[:0])
	failpoint.Pass("outbox.before-publish")
	if s.box.pub.Publish(s.box.opt.Subjects.Data(d.Channel, s.at.Node, s.box.opt.Node), s.frame) != nil {
		return false
	}
	s.box.sent.Add(1)
	failpoint.Pass("outbox.after-publish")
	return true
}

func (s *stream) event(k EventKind, channel, detail string) {
	s.box.opt.Event(Event{Kind: k, Node: s.at.Node, Channel: channel, Detail: detail})
}

// pump sends frames while there is room and something to send.
func (s *stream) pump() {
	s.readAgain = 0
	if planted.EarlyFrame {
		s.sendLeaked()
	}
	for s.machine.Room() {
		f, err := s.feed.next(s.machine, s.room())
		if errors.Is(err, errMoved) {
			s.begin()
			return
		}
		if unfit := (*unfitError)(nil); errors.As(err, &unfit) {
			s.refused(unfit.channel, unfit.Error())
			continue
		}
		if err != nil {
			s.event(ReadFailed, "", err.Error())
			s.readAgain = s.box.now() + readRetry
			return
		}
		if f == nil {
			return
		}
		number := s.machine.Sent(s.box.now(), f.frame)
		f.data.Session, f.data.ReceiverRun, f.data.Number = s.session(), s.at.Run, number
		f.data.Join, f.data.EngineNow = s.at.Ready[f.data.Channel], s.box.log.Now()
		if !s.publish(&f.data) {
			return // the connection is gone: its event closes the session, or a probe finds the hole
		}
	}
}

// room is what the next frame may hold.
func (s *stream) room() frameRoom {
	payload := s.box.pub.MaxPayload()
	if payload <= 0 {
		payload = defaultPayload
	}
	messages, _ := s.machine.InFlight()
	return frameRoom{payload: payload - frameOverhead, target: min(frameTarget, s.machine.FrameBytes()), messages: max(s.box.opt.MaxInFlight-messages, 1), now: s.box.log.Now(),
		join: func(channel string) uint64 { return s.at.Ready[channel] }, counted: s.counted}
}

func (s *stream) start(c wire.OpenChannel) uint64 {
	r, _ := s.box.ledger.reader(readerKey{s.key.reader, c.Name, c.Join})
	return r.Start
}

// counted is how many messages of a channel the reader has had up to a sequence. Where the log is gone only its own counts tell, and those do not
// hold what it has received and not committed: then the error is errSoon, for its word is on the way.
func (s *stream) counted(channel string, seq uint64) (uint64, error) {
	r, _ := s.box.ledger.reader(s.key3(channel))
	if head, _ := s.box.log.Head(channel); seq < head.Floor && seq > r.Position && seq > r.Start {
		return 0, errSoon
	}
	return s.box.ledger.done(&r, seq, r.Totals)
}

func (s *stream) key3(channel string) readerKey {
	return readerKey{s.key.reader, channel, s.at.Ready[channel]}
}

func totals(t wire.Totals) store.Totals { return store.Totals(t) }
