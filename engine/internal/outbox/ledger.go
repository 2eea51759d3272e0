package outbox

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/getevo/rmds-router/engine/internal/store"
)

// ErrReaderFull means a reader's queue is at its limit.
var ErrReaderFull = errors.New("a reader's queue is full")

type readerKey struct {
	store   store.ID
	channel string
	join    uint64
}

func keyOf(r *store.Reader) readerKey { return readerKey{r.Store, r.Channel, r.Join} }

// ledger holds what readers have reported, ahead of what the store knows of it, and guards the queue limit.
type ledger struct {
	mu       sync.Mutex
	log      Log
	limit    uint64 // 0: none
	rows     map[readerKey]*store.Reader
	dirty    map[readerKey]bool // true: the report of a session's beginning is among what changed
	ending   map[readerKey]bool // an end is under way to the store
	channels map[string]*tally
	sizes    map[string]int               // rows by channel, ended ones too
	nodes    map[string]int               // and by node
	stores   map[store.ID][]*store.Reader // the rows of each store
	sheds    map[readerKey]*shed
	moved    chan struct{} // capacity 1: something is dirty
	hurry    chan struct{} // capacity 1: what is dirty is to be stored at once
}

// tally is one channel's side of the limit: how many messages it was ever given, and the reader furthest behind.
type tally struct {
	total   uint64
	rows    []*store.Reader // of its readers
	slowest uint64          // the least Done of them, with what is skipped behind it
	skipped uint64          // of what is kept for readers yet to come
	name    string          // that reader's node
}

func newLedger(log Log, limit int) *ledger {
	l := &ledger{log: log, limit: uint64(max(limit, 0)), rows: map[readerKey]*store.Reader{}, dirty: map[readerKey]bool{}, ending: map[readerKey]bool{},
		channels: map[string]*tally{}, sheds: map[readerKey]*shed{}, moved: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
	l.reload()
	return l
}

// reload takes the rows from the store, keeping what readers have reported since. It returns those that the store has dropped.
func (l *ledger) reload() (forgotten []store.Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := map[readerKey]bool{}
	for _, r := range l.log.Readers() {
		k := readerKey{r.Store, r.Channel, r.Join}
		kept[k] = true
		if old := l.rows[k]; old != nil && !r.Ended && !old.Ended {
			old.Node = r.Node
			continue
		}
		delete(l.sheds, k)
		l.rows[k] = &r
	}
	for k, r := range l.rows {
		if !kept[k] {
			forgotten = append(forgotten, *r)
			delete(l.rows, k)
		}
	}
	for _, t := range l.channels {
		t.rows = nil
	}
	l.sizes, l.nodes, l.stores = map[string]int{}, make(map[string]int, len(l.nodes)), make(map[store.ID][]*store.Reader, len(l.stores))
	for _, r := range l.rows {
		l.sizes[r.Channel]++
		l.nodes[r.Node]++
		l.stores[r.Store] = append(l.stores[r.Store], r)
		if r.Ended {
			delete(l.ending, readerKey{r.Store, r.Channel, r.Join})
		}
		if t := l.tally(r.Channel); !r.Ended && !l.ending[readerKey{r.Store, r.Channel, r.Join}] {
			t.rows = append(t.rows, r)
		}
	}
	for _, t := range l.channels {
		l.recount(t)
	}
	return forgotten
}

// tally finds or makes a channel's tally; l.mu is held.
func (l *ledger) tally(channel string) *tally {
	t := l.channels[channel]
	if t == nil {
		head, _ := l.log.Head(channel)
		t = &tally{total: head.Total}
		l.channels[channel] = t
	}
	return t
}

// recount finds the slowest reader; l.mu is held.
func (l *ledger) recount(t *tally) {
	t.slowest, t.name = t.total, ""
	for _, r := range t.rows {
		done := r.Done
		if s := l.sheds[keyOf(r)]; s != nil {
			s.passed(r.Position)
			done += s.count()
		}
		if done < t.slowest || t.name == "" {
			t.slowest, t.name = min(done, t.slowest), r.Node
		}
	}
}

// skipped takes notice of skips that were stored: what is skipped does not count towards the limit. The lock is not held while the log is
// read: who sends or reports meanwhile does not wait for the disk.
func (l *ledger) skipped() {
	for _, r := range l.limited() {
		if s, err := l.readShed(&r); err == nil {
			l.noteShed(&r, s)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.sheds {
		if l.rows[k] == nil && k.store != (store.ID{}) {
			delete(l.sheds, k)
		}
	}
	for name, t := range l.channels {
		if s := l.sheds[readerKey{channel: name}]; s != nil {
			t.skipped = s.count()
		}
		l.recount(t)
	}
}

// limited lists all to whom the limit applies, as they are now.
func (l *ledger) limited() (rows []store.Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, t := range l.channels {
		head, _ := l.log.Head(name)
		rows = append(rows, t.waiting(name, head)...)
	}
	return rows
}

// waiting lists the readers of a channel, or who stands for those yet to come while there is none; the ledger's mu is held.
func (t *tally) waiting(channel string, head store.Head) (rows []store.Reader) {
	for _, r := range t.rows {
		rows = append(rows, *r)
	}
	if len(rows) == 0 && head.OpenFrom != 0 {
		rows = append(rows, yetToCome(channel, head))
	}
	return rows
}

// yetToCome stands for the readers that a channel's messages are kept for while there is none.
func yetToCome(channel string, head store.Head) store.Reader {
	return store.Reader{Channel: channel, Position: head.OpenFrom - 1, Done: head.OpenTotal}
}

// accept books n messages for a channel, or refuses them all. Unlimited books them whatever the readers' queues hold.
// It reports whether the channel has readers.
func (l *ledger) accept(channel string, n int, unlimited bool) (readers bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tally(channel)
	if l.limit > 0 && !unlimited {
		who, waiting := "reader "+t.name+" has", t.total-min(t.slowest, t.total)
		if len(t.rows) == 0 {
			who, waiting = "readers yet to come have", l.openWaiting(channel, t)
		}
		if waiting+uint64(n) > l.limit {
			return false, fmt.Errorf("channel %s: %s %d messages waiting, %d more are above the limit of %d: %w", channel, who, waiting, n, l.limit, ErrReaderFull)
		}
	}
	t.total += uint64(n)
	return len(t.rows) > 0, nil
}

// openWaiting counts what is kept for readers yet to come; l.mu is held.
func (l *ledger) openWaiting(channel string, t *tally) uint64 {
	head, ok := l.log.Head(channel)
	if !ok || head.OpenFrom == 0 {
		return 0
	}
	return t.total - min(head.OpenTotal+t.skipped, t.total)
}

// release takes back what accept booked: the messages were not stored.
func (l *ledger) release(channel string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.channels[channel]; t != nil {
		t.total -= min(uint64(n), t.total)
	}
}

// move notes what a reader reported: everything up to seq is at its end. It may go back. A report that opens a session counts also
// where it does not agree with what is on record; beyond is by how much what the reader counts above the log changed then.
func (l *ledger) move(k readerKey, seq uint64, totals store.Totals, opens bool) (beyond int64, err error) {
	l.mu.Lock()
	r := l.rows[k]
	same := r == nil || r.Ended || l.ending[k] || r.Position == seq && r.Totals == totals && !opens
	var now store.Reader
	if !same {
		now = *r
	}
	l.mu.Unlock()
	if same {
		return 0, nil
	}
	if opens && seq < now.Start {
		now.Start = seq
		if now.StartTotal, err = l.log.Upto(k.channel, seq); err != nil {
			return 0, fmt.Errorf("count up to %d on channel %s: %w", seq, k.channel, err)
		}
	}
	done, err := l.done(&now, seq, totals)
	if err != nil {
		return 0, err
	}
	now.Position, now.Totals, now.Done = seq, totals, done
	if opens {
		now.Settle()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows[k] != r || l.ending[k] { // it ended meanwhile
		return 0, nil
	}
	beyond = now.Beyond - r.Beyond
	if now != *r {
		*r = now
		l.dirty[k] = l.dirty[k] || opens
		l.recount(l.tally(k.channel))
		poke(l.moved)
	}
	return beyond, nil
}

// done counts the messages of a reader's channel up to a sequence, ever. Where the log is pruned, that is what the reader counted.
func (l *ledger) done(r *store.Reader, seq uint64, totals store.Totals) (uint64, error) {
	if seq <= r.Start {
		return r.StartTotal, nil
	}
	head, _ := l.log.Head(r.Channel)
	n, err := l.log.Upto(r.Channel, max(seq, head.Floor))
	if err != nil {
		return 0, fmt.Errorf("count up to %d on channel %s: %w", seq, r.Channel, err)
	}
	if seq < head.Floor {
		n = min(n, r.Counted(totals))
	}
	return max(n, r.StartTotal), nil
}

// takeDirty returns the changes to store and forgets that they were due.
func (l *ledger) takeDirty() []store.ReaderChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	changes := make([]store.ReaderChange, 0, len(l.dirty))
	for k, opens := range l.dirty {
		if r := l.rows[k]; r != nil && !r.Ended {
			changes = append(changes, moved(r, opens))
		}
	}
	clear(l.dirty)
	return changes
}

// prove keeps what a reader gave to prove its join to itself.
func (l *ledger) prove(k readerKey, proof store.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.rows[k]; r != nil && !r.Ended && !l.ending[k] && proof != (store.ID{}) && r.Proof != proof {
		r.Proof = proof
		l.dirty[k] = l.dirty[k] // due, whatever else is
		poke(l.moved)
	}
}

// newer is the join of a store to a channel whose number is above the one named, and that goes on, or would if its node came back with the store.
func (l *ledger) newer(id store.ID, channel string, join uint64) (found store.Reader, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.stores[id] {
		if r.Channel == channel && r.Join > max(join, found.Join) && (!r.Ended && !l.ending[keyOf(r)] || r.Replaced) {
			found, ok = *r, true
		}
	}
	return found, ok
}

// newest is the highest number of a join of a store to a channel, whatever has become of it; 0: none is known.
func (l *ledger) newest(id store.ID, channel string) (join uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.stores[id] {
		if r.Channel == channel {
			join = max(join, r.Join)
		}
	}
	return join
}

func moved(r *store.Reader, opens bool) store.ReaderChange {
	return store.ReaderChange{Move: &store.MoveReader{Store: r.Store, Channel: r.Channel, Join: r.Join, Position: r.Position, Totals: r.Totals, Proof: r.Proof, Opens: opens}}
}

// reader returns a copy of one row.
func (l *ledger) reader(k readerKey) (store.Reader, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rows[k]
	if r == nil {
		return store.Reader{}, false
	}
	return *r, true
}

// all returns a copy of every row, ended ones too.
func (l *ledger) all() []store.Reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := make([]store.Reader, 0, len(l.rows))
	for _, r := range l.rows {
		rows = append(rows, *r)
	}
	return rows
}

// find returns a copy of the rows that are wanted.
func (l *ledger) find(wanted func(*store.Reader) bool) (rows []store.Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
		if wanted(r) {
			rows = append(rows, *r)
		}
	}
	return rows
}

// of returns a copy of the rows of one store that are wanted.
func (l *ledger) of(id store.ID, wanted func(*store.Reader) bool) (rows []store.Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.stores[id] {
		if wanted(r) {
			rows = append(rows, *r)
		}
	}
	return rows
}

// others lists the rows that a new one ends or replaces: those on its channel that are its node's or its store's, and go on.
func (l *ledger) others(a *store.AddReader) []store.Reader {
	l.mu.Lock()
	strange := l.nodes[a.Node] == 0 && len(l.stores[a.Store]) == 0
	l.mu.Unlock()
	if strange {
		return nil
	}
	return l.find(func(r *store.Reader) bool {
		return r.Channel == a.Channel && !r.Ended && (r.Store == a.Store || r.Node == a.Node)
	})
}

// size counts the rows of a channel, and all of them.
func (l *ledger) size(channel string) (here, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sizes[channel], len(l.rows)
}

// end forgets that a reader counts, and returns its last report, to be stored with its end so that the accounting meets. The store
// does the same in its own transaction.
func (l *ledger) end(k readerKey) (last []store.ReaderChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.rows[k]; r != nil {
		if !r.Ended && !l.ending[k] {
			last = append(last, moved(r, l.dirty[k]))
		}
		l.ending[k] = true
		delete(l.dirty, k)
		t := l.tally(k.channel)
		t.rows = slices.DeleteFunc(t.rows, func(row *store.Reader) bool { return row == r })
		l.recount(t)
	}
	return last
}
