package outbox

import (
	"sync/atomic"

	"github.com/getevo/rmds-router/engine/internal/store"
)

// AddReader records a new join durably, ends that reader's older joins to the channel, and lets its lane open. A join that takes over another's
// place begins behind everything that was reported before this call. It does not wait for the disk; done is called with the outcome, by
// the goroutine that writes.
func (b *Outbox) AddReader(a store.AddReader, done func(error)) {
	older, replaced := b.before(&a)
	stores := map[store.ID]bool{}
	for _, k := range append(older, replaced...) {
		stores[k.store] = true
	}
	b.afterReports(a.Channel, stores, func() { b.addReader(a, done) })
}

// before lists the joins that end with a new one: older ones of the same store, and those of the same node's other stores.
func (b *Outbox) before(a *store.AddReader) (older, replaced []readerKey) {
	for _, r := range b.ledger.others(a) {
		switch k := keyOf(&r); {
		case r.Store != a.Store:
			replaced = append(replaced, k)
		case r.Join < a.Join:
			older = append(older, k)
		}
	}
	return older, replaced
}

func (b *Outbox) addReader(a store.AddReader, done func(error)) {
	changes := []store.ReaderChange{}
	older, replaced := b.before(&a)
	for _, k := range older {
		changes = append(changes, b.endings(k.store, k.channel, k.join)...)
	}
	for _, k := range replaced { // its place is taken over, from its last report on
		changes = append(changes, b.ledger.end(k)...)
	}
	b.add(changes, []store.AddReader{a}, done)
}

// Fresh tells whether no join ends with a new one.
func (b *Outbox) Fresh(a *store.AddReader) bool { return len(b.ledger.others(a)) == 0 }

// AddFresh is AddReader for several readers that are Fresh, in one transaction.
func (b *Outbox) AddFresh(list []store.AddReader, done func(error)) { b.add(nil, list, done) }

func (b *Outbox) add(changes []store.ReaderChange, list []store.AddReader, done func(error)) {
	for i := range list {
		changes = append(changes, store.ReaderChange{Add: &list[i]})
	}
	b.log.Submit(&store.Tx{Readers: changes, Must: true, Done: func(err error) {
		if err == nil {
			b.reload()
			for i := range list {
				b.recorded(list[i].Store, list[i].Channel)
			}
		}
		done(err)
	}})
}

// afterReports calls f once the streams that carry a channel to the stores have taken in what was reported to them so far; at once, if there
// are none. It is not called if the outbox ends first.
func (b *Outbox) afterReports(channel string, stores map[store.ID]bool, f func()) {
	var waiting atomic.Int64
	waiting.Store(1)
	done := func() {
		if waiting.Add(-1) == 0 {
			f()
		}
	}
	b.mu.Lock()
	for k, s := range b.streams {
		if stores[k.reader] && (k.scope == "" || k.scope == channel) {
			waiting.Add(1)
			s.afterReports(done)
		}
	}
	b.mu.Unlock()
	done()
}

// afterReports has the stream's goroutine call f behind the reports that lie in the mailbox. The outbox's mu is held, so the stream is not given up.
func (s *stream) afterReports(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, f)
	s.poke()
}
