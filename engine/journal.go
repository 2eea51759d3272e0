package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/engine/internal/inbox"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// JournalRange chooses messages of a journal. The zero value is all of it; of several fields the narrowest counts.
type JournalRange struct {
	Last  int       // the newest so many
	Since time.Time // from the batch on that was received then, by this node's wall clock
	After string    // what was received after the message with this ID; if the journal does not have that, the error wraps ErrNoMessage
}

// ErrNoMessage means the journal does not hold the message.
var ErrNoMessage = errors.New("the message is not in the journal")

// Journal calls f with what the channel's journal holds, in the order of receipt, until f returns false. A message is in it from when its batch was begun to
// be handled, whatever became of it: handled, dead or expired here. What its sender skipped, because it had expired or was purged, is not. Each message is in it once,
// however often it arrived. Without the option Journal the error wraps ErrNoJournal.
func (ch *Channel) Journal(r JournalRange, f func(*Message) bool) error {
	if err := ch.usable(); err != nil {
		return err
	}
	if !ch.journal {
		return fmt.Errorf("channel %s: %w", ch.name, ErrNoJournal)
	}
	w := walker{log: ch.c.node.Store(), channel: ch.name, f: f}
	if err := w.start(r); err != nil {
		return fmt.Errorf("channel %s: %w", ch.name, publicError(err))
	}
	return publicError(w.walk())
}

// walker goes through a journal.
type walker struct {
	log     *store.Store
	channel string
	f       func(*Message) bool
	from    int64  // the id of a batch
	older   uint64 // so many messages of it are left out
	after   uint64 // and so is everything of the first batch up to here
	nothing bool
}

// start finds where to begin.
func (w *walker) start(r JournalRange) error {
	if r.Last > 0 {
		from, older, err := w.log.JournalLast(w.channel, uint64(r.Last))
		if err != nil {
			return err
		}
		w.from, w.older = from, older
	}
	if !r.Since.IsZero() {
		from, err := w.log.JournalSince(w.channel, r.Since.UnixMilli())
		if err != nil {
			return err
		}
		w.nothing = from == 0
		w.advance(from, 0)
	}
	if r.After != "" {
		sender, run, seq, err := wire.ParseMessageID(r.After)
		if err != nil {
			return fmt.Errorf("message %q: %w", r.After, ErrNoMessage)
		}
		from, err := w.log.JournalAt(w.channel, sender, run, seq)
		if err != nil {
			return err
		}
		if from == 0 {
			return fmt.Errorf("message %s: %w", r.After, ErrNoMessage)
		}
		w.advance(from, seq)
	}
	return nil
}

// advance narrows the range to what begins with a batch, behind a sequence of it.
func (w *walker) advance(from int64, after uint64) {
	if from > w.from {
		w.from, w.older = from, 0
	}
	if from == w.from {
		w.after = after
	}
}

func (w *walker) walk() error {
	for !w.nothing {
		batches, err := w.log.Journal(w.channel, w.from, walkBytes)
		if err != nil || len(batches) == 0 {
			return err
		}
		for i := range batches {
			more, err := w.batch(&batches[i])
			if err != nil || !more {
				return err
			}
			w.after = 0
		}
		w.from = batches[len(batches)-1].ID + 1
	}
	return nil
}

func (w *walker) batch(r *store.Received) (more bool, err error) {
	batch, err := wire.ParseBatch(r.Blob)
	if err != nil {
		return false, fmt.Errorf("batch %d of the journal of channel %s: %w", r.ID, w.channel, err)
	}
	dec, err := batch.Decoder()
	if err != nil {
		return false, fmt.Errorf("batch %d of the journal of channel %s: %w", r.ID, w.channel, err)
	}
	ranges := r.Ranges
	for seq := batch.Head.First; seq <= batch.Head.Last; seq++ {
		d := inbox.Delivery{Sender: r.Sender, Node: r.Node, Channel: w.channel, Run: r.Run, Seq: seq}
		if ok, err := dec.Next(&d.Message); err != nil || !ok {
			return true, nil // damaged when it came: what is behind counted as corrupt
		}
		for len(ranges) > 0 && ranges[0].To < seq {
			ranges = ranges[1:]
		}
		if len(ranges) == 0 || seq < ranges[0].From || seq <= w.after && w.after != 0 {
			continue
		}
		if w.older > 0 {
			w.older--
			continue
		}
		m := newMessage(&d)
		m.over = true // it can be looked at, not acked
		if !w.f(m) {
			return false, nil
		}
	}
	return true, nil
}
