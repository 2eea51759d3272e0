package outbox

import (
	"slices"

	"github.com/getevo/rmds-router/engine/internal/lane"
	"github.com/getevo/rmds-router/engine/internal/store"
	"github.com/getevo/rmds-router/engine/internal/wire"
)

// Leak is the planted bug of frames that leave before their batch is durable: the streams are handed a batch whose transaction is
// still under way.
func (b *Outbox) Leak(batch store.Batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		s.mu.Lock()
		s.leaked = append(s.leaked, batch)
		s.mu.Unlock()
		s.poke()
	}
}

// sendLeaked sends what follows on what the reader has.
func (s *stream) sendLeaked() {
	s.mu.Lock()
	leaked := s.leaked
	s.leaked = nil
	s.mu.Unlock()
	for i := range leaked {
		b := &leaked[i]
		c, ok := s.machine.Cursor(b.Channel)
		if _, again := s.machine.Again(); !ok || again || !s.machine.Room() || c.Position.Seq != b.Prev || c.Offset > 0 || len(b.Blob) > s.room().payload {
			continue
		}
		f := lane.Frame{Channel: b.Channel, Prev: c.Position, Last: lane.Position{Run: b.Run, Seq: b.Last}, Messages: int(b.Count()), Bytes: len(b.Blob)}
		d := wire.Data{Channel: b.Channel, Prev: wire.Position(c.Position), Run: b.Run, Last: b.Last, Batches: []wire.Carried{{First: b.First, Last: b.Last, Blob: slices.Clone(b.Blob)}}}
		d.Number = s.machine.Sent(s.box.now(), f)
		d.Session, d.ReceiverRun, d.Join, d.EngineNow = s.session(), s.at.Run, s.at.Ready[b.Channel], s.box.log.Now()
		s.publish(&d)
	}
}
