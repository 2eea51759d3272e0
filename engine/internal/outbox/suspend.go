package outbox

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Suspension is a channel of which one reader gets nothing for now, although it could be reached: the reader refuses it, does not read
// its batches, or NATS does not let them pass. Its position stays, its messages wait, and it is tried again.
type Suspension struct {
	Node, Channel, Reason string
	For                   time.Duration // since it began
}

// Suspensions lists what is suspended, by node and channel.
func (b *Outbox) Suspensions() []Suspension {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Suspension
	now := b.now()
	for _, s := range b.streams {
		s.mu.Lock()
		for _, one := range s.listed {
			one.For = now - one.For
			list = append(list, one)
		}
		s.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Suspension) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Channel, b.Channel))
	})
	return list
}

// denial is word of the network that it does not let something pass.
type denial struct{ channel, reason string }

// Denied takes notice that frames to a node do not pass: those of a channel, or with none named every session.
func (b *Outbox) Denied(node, channel, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		s.mu.Lock()
		if s.target.Node == node && len(s.denials) < maxStatuses {
			s.denials = append(s.denials, denial{channel, reason})
			s.poke()
		}
		s.mu.Unlock()
	}
}

// How long a suspension rests at most, and how long a channel that is tried again has to go without a word against it.
const (
	maxSuspension = 30 * time.Second
	probation     = 2 * time.Second
)

// suspension is a stream's side of a Suspension.
type suspension struct {
	join     uint64
	reason   string
	since    time.Duration
	wait     time.Duration // before the next try
	until    time.Duration // when that is
	trying   bool          // sessions carry it again
	answered time.Duration // since when the present session does; 0: not yet
}

// refused suspends one channel, and no more, for a while: the reason can be news that has not got there yet.
func (s *stream) refused(channel, reason string) {
	join, ok := s.at.Ready[channel]
	if !ok {
		return
	}
	now := s.box.now()
	r := s.suspended[channel]
	switch {
	case r == nil || r.join != join:
		r = &suspension{join: join, since: now, wait: s.box.opt.Suspension}
		s.suspended[channel] = r
	case !r.trying:
		return
	default:
		r.wait = min(2*r.wait, maxSuspension)
	}
	r.reason, r.until, r.trying, r.answered = reason, now+r.wait, false, 0
	s.list()
	s.event(ChannelSuspended, channel, reason)
	s.machine.Drop(channel)
	if len(s.channels()) == 0 {
		s.machine.Close()
	}
}

// denied suspends what the network does not let pass. The numbers of its frames are missing at the reader, so a new session begins.
func (s *stream) denied(d denial) {
	for name := range s.at.Ready {
		if d.channel == "" || d.channel == name {
			s.refused(name, d.reason)
		}
	}
	s.begin()
}

// retry lets sessions carry everything again: something has changed.
func (s *stream) retry() {
	for name, r := range s.suspended {
		if join, ready := s.at.Ready[name]; !ready || join != r.join {
			delete(s.suspended, name)
			s.list()
		}
		r.trying, r.answered = true, 0
	}
}

// pardon tries channels again, in a new session, after their time; and ends suspensions that nothing was said to since.
func (s *stream) pardon() {
	now, again := s.box.now(), false
	for name, r := range s.suspended {
		switch {
		case !r.trying && now >= r.until:
			r.trying, again = true, true
		case r.trying && r.answered > 0 && now >= r.answered+probation && s.machine.Phase() == lane.Streaming:
			s.resumed(name)
		}
	}
	if again {
		s.begin()
	}
}

// answered notes that the reader takes a channel in the present session.
func (s *stream) answered(channel string) {
	if r := s.suspended[channel]; r != nil {
		r.answered = s.box.now()
	}
}

// resumed ends a suspension.
func (s *stream) resumed(channel string) {
	if r := s.suspended[channel]; r != nil && r.trying {
		delete(s.suspended, channel)
		s.list()
		s.event(ChannelResumed, channel, "")
	}
}

// suspensionEnds is when pardon has something to do.
func (s *stream) suspensionEnds() time.Duration {
	next := s.box.now() + time.Hour
	for _, r := range s.suspended {
		if !r.trying {
			next = min(next, r.until)
		} else if r.answered > 0 && s.machine.Phase() == lane.Streaming {
			next = min(next, r.answered+probation)
		}
	}
	return next
}

func (s *stream) list() {
	list := make([]Suspension, 0, len(s.suspended))
	for name, r := range s.suspended {
		list = append(list, Suspension{s.at.Node, name, r.reason, r.since})
	}
	s.mu.Lock()
	s.listed = list
	s.mu.Unlock()
}

// unfitError means that a reader cannot be given a channel's batches.
type unfitError struct {
	channel string
	cause   error
}

func (e *unfitError) Error() string { return "no common version: " + e.cause.Error() }

// fit encodes anew what the reader could not read as it lies. A large batch is read whole for that.
func (s *stream) fit(channel string, list []store.Batch) ([]store.Batch, error) {
	reads, writes := s.at.Batches, s.box.opt.Batches
	if reads.Covers(writes) {
		return list, nil
	}
	cloned := false
	for i := range list {
		blob, err := s.whole(&list[i])
		if err != nil {
			return nil, err
		}
		if len(blob) == 0 {
			continue
		}
		if reads.Has(wire.VersionOf(blob)) {
			continue
		}
		version, ok := writes.Common(reads)
		if !ok {
			return nil, &unfitError{channel, fmt.Errorf("the reader reads batches of version %v, this node writes %v", reads, writes)}
		}
		if blob, err = writes.Recode(blob, version); err != nil {
			return nil, &unfitError{channel, err}
		}
		if !cloned { // the list may be the log's own
			list, cloned = slices.Clone(list), true
		}
		list[i].Blob, list[i].Size = blob, len(blob)
	}
	return list, nil
}

// whole is a batch's blob; nil: it is damaged.
func (s *stream) whole(b *store.Batch) ([]byte, error) {
	if b.Blob != nil || b.Size == 0 {
		return b.Blob, nil
	}
	blob := make([]byte, b.Size)
	if err := s.box.log.ReadBlob(b.First, 0, blob); err != nil {
		return nil, fmt.Errorf("read the batch from %d on: %w", b.First, err)
	}
	return blob, nil
}
