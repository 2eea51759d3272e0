package outbox

import (
	"fmt"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/planted"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// take is what a status frame does to a stream.
func (s *stream) take(st *wire.Status) {
	if st.ReceiverRun != s.at.Run {
		return // of a process that is gone
	}
	if st.Opened {
		s.opened(st)
		return
	}
	positions := s.record(st)
	if st.Session != s.session() {
		return
	}
	now := s.box.now()
	switch st.State {
	case wire.Unknown:
		if s.machine.Phase() == lane.Streaming {
			s.retry()
			s.begin()
		}
	case wire.Left:
		s.left(st.Channel, st.Reason)
	case wire.Refused:
		s.refused(st.Channel, st.Reason)
	case wire.OK, wire.Gap, wire.Working, wire.Blocked:
		s.machine.Status(now, st.Session.Counter, st.Received, st.State == wire.Gap, st.State == wire.Working || st.State == wire.Blocked, positions)
	}
}

// record stores what the receiver has committed. It counts from any session, for it is bound to the receiver's store and run.
func (s *stream) record(st *wire.Status) map[string]lane.Position {
	positions := make(map[string]lane.Position, len(st.Channels))
	for _, c := range st.Channels {
		if len(c.Committed) == 0 || s.at.Ready[c.Name] != c.Join {
			continue
		}
		before, known := s.box.ledger.reader(s.key3(c.Name))
		p, ok := s.own(c.Committed)
		if !ok {
			p.Seq = before.Position // all that it has had since is lost here
		}
		if known && older(p.Seq, &c.Totals, &before) {
			continue
		}
		s.acknowledged(c.Name, &before, known, c.Totals.Handled)
		if ok {
			positions[c.Name] = p
		}
		if p.Seq > before.Position {
			s.resumed(c.Name)
		}
		lost := s.adrift[c.Name] || !exact(p, ok, c.Committed[0])
		if p.Run == s.box.log.Run() {
			delete(s.adrift, c.Name)
		}
		if _, err := s.box.ledger.move(s.key3(c.Name), p.Seq, totals(c.Totals), lost); err != nil {
			s.event(ReadFailed, c.Name, err.Error())
		}
	}
	return positions
}

// acknowledged tells the observer how many more messages a reader has handled than is on record.
func (s *stream) acknowledged(channel string, before *store.Reader, known bool, handled uint64) {
	if known && s.box.opt.Observed && handled > before.Totals.Handled {
		s.box.opt.Event(Event{Kind: Acknowledged, Node: s.at.Node, Channel: channel, Count: int(handled - before.Totals.Handled)})
	}
}

// older tells whether a report was overtaken on its way by a newer one. A receiver's place goes back only with a new run, and the
// answer to that run's open says so.
func older(seq uint64, t *wire.Totals, on *store.Reader) bool {
	return seq < on.Position || seq == on.Position && t.Handled < on.Totals.Handled
}

// own maps reported positions, newest run first, to one in this log: the newest run that is known here too, and in it the
// smaller of the reported sequence and the last that was written.
func (s *stream) own(reported []wire.Position) (lane.Position, bool) {
	for _, p := range reported {
		if last, ok := s.box.log.LastOf(p.Run); ok {
			return lane.Position{Run: p.Run, Seq: min(p.Seq, last)}, true
		}
	}
	return lane.Position{}, false
}

// opened resolves where each channel resumes. What the reader reports beats what is stored here, in both directions.
func (s *stream) opened(st *wire.Status) {
	if st.Session != s.session() || s.machine.Phase() != lane.Opening {
		return
	}
	var starts []lane.Start
	for _, c := range st.Channels {
		if s.at.Ready[c.Name] != c.Join {
			continue
		}
		switch c.State {
		case wire.Left:
			s.left(c.Name, "the reader has left")
		case wire.Refused:
			s.refused(c.Name, "the reader refuses it")
		case wire.OK:
			s.answered(c.Name)
			starts = append(starts, s.resolve(c))
		case wire.Gap, wire.Working, wire.Blocked, wire.Unknown:
		}
	}
	if len(starts) == 0 {
		return // nothing can flow now: the open is repeated, ever more slowly
	}
	s.machine.Opened(s.box.now(), st.Session.Counter, starts)
	s.event(SessionOpened, "", fmt.Sprintf("session %d over %d channels", st.Session.Counter, len(starts)))
}

func (s *stream) resolve(c wire.StatusChannel) lane.Start {
	committed, ok := s.own(c.Committed)
	if len(c.Committed) > 0 && !exact(committed, ok, c.Committed[0]) || !s.holds(c.Received) {
		s.adrift[c.Name] = true
	} else {
		delete(s.adrift, c.Name)
	}
	before, known := s.box.ledger.reader(s.key3(c.Name))
	s.acknowledged(c.Name, &before, known && ok, c.Totals.Handled)
	if !ok {
		committed = s.position(s.start(wire.OpenChannel{Name: c.Name, Join: c.Join}))
		if len(c.Committed) > 0 {
			s.event(PositionLost, c.Name, "the reader reports runs that this log does not have; it gets everything since its join again")
		}
	} else if known && before.Position > committed.Seq {
		if planted.StaleAck {
			committed = s.position(before.Position)
		}
		s.event(PositionLost, c.Name, fmt.Sprintf("the reader is at %d, behind the %d on record here; it gets what is between again", committed.Seq, before.Position))
	}
	s.box.ledger.prove(s.key3(c.Name), c.Proof)
	switch beyond, err := s.box.ledger.move(s.key3(c.Name), committed.Seq, totals(c.Totals), true); {
	case err != nil:
		s.event(ReadFailed, c.Name, err.Error())
	case beyond != 0:
		s.event(PositionLost, c.Name, fmt.Sprintf("the reader counts %+d messages against this log: a database was restored from an older copy", beyond))
	}
	start := lane.Start{Channel: c.Name, Committed: committed, Received: committed}
	if r, ok := s.own([]wire.Position{c.Received}); ok && r.Seq >= committed.Seq && r.Seq == c.Received.Seq {
		start.Received, start.Offset = r, c.Piece
	}
	return start
}

// exact tells whether a place that was reported is one of this log, as own found it.
func exact(p lane.Position, ok bool, reported wire.Position) bool {
	return ok && p == lane.Position(reported)
}

// holds tells whether this log has got as far as a place that was reported; none is reported as zero.
func (s *stream) holds(reported wire.Position) bool {
	if reported == (wire.Position{}) {
		return true
	}
	p, ok := s.own([]wire.Position{reported})
	return exact(p, ok, reported)
}

// position names a sequence of this log by its run too.
func (s *stream) position(seq uint64) lane.Position {
	if seq == 0 {
		return lane.Position{}
	}
	p := lane.Position{Seq: seq}
	for _, r := range s.box.log.Runs() {
		if r.First <= seq {
			p.Run = r.ID
		}
	}
	return p
}

func (s *stream) left(channel, detail string) {
	k := s.key3(channel)
	if r, ok := s.box.ledger.reader(k); !ok || r.Ended {
		return
	}
	s.event(ReaderLeft, channel, detail)
	s.machine.Drop(channel)
	s.box.EndReader(k.store, k.channel, k.join, func(error) {}) // if it fails the store has, and the next session says it again
}
