package store

import "sync"

type (
	readerKey struct {
		store   ID
		channel string
		join    uint64
	}
	positionKey struct {
		sender  ID
		channel string
		join    uint64
	}
	joinKey struct {
		channel string
		number  uint64
	}
	// nearKey has a node or a store, not both.
	nearKey struct {
		channel, node string
		store         ID
	}
)

// channel is what the writer knows of one channel of the log.
type channel struct {
	id         int64
	name       string
	head       Head
	openTotal  uint64 // Head.Total before head.OpenFrom
	floorTotal uint64 // Head.Total up to head.Floor
	oldest     uint64 // first sequence of the oldest batch in the log; 0: none
	oldBefore  uint64 // its Before
	skipTop    uint64 // no skip range of the channel reaches past this
	dirty      bool   // its row has to be written; appending alone does not
}

func (c *channel) public() Head {
	h := c.head
	h.OpenTotal = c.openTotal
	return h
}

// world is the committed state that is held in memory. The writer alone changes it, between a commit and the callbacks for it.
type world struct {
	mu        sync.RWMutex
	channels  map[string]*channel // replaced, never changed in place
	names     map[int64]string
	readers   map[readerKey]Reader
	near      map[nearKey]map[readerKey]bool // the readers of one node, and of one store, on a channel
	positions map[positionKey]Position
	attempts  map[positionKey]Attempt
	joins     map[joinKey]Join
	runs      []Run
	next      uint64 // the next sequence
	lastID    int64  // the greatest channel id
}

func newWorld() *world {
	return &world{
		channels: map[string]*channel{}, names: map[int64]string{}, readers: map[readerKey]Reader{}, near: map[nearKey]map[readerKey]bool{},
		positions: map[positionKey]Position{}, attempts: map[positionKey]Attempt{}, joins: map[joinKey]Join{}, next: 1,
	}
}

// delta is what one transaction changes in the world. It is dropped when the transaction is rolled back. The writer reads the world
// without its lock, for nobody else changes it.
type delta struct {
	world     *world
	channels  map[string]*channel
	readers   map[readerKey]Reader
	positions map[positionKey]Position
	rerun     map[positionKey]bool    // Older changed
	attempts  map[positionKey]Attempt // Count 0: deleted
	joins     map[joinKey]Join
	state     map[string]map[string][]byte // nil: deleted
	run       bool                         // the run's row is written with this transaction
	next      uint64
	lastID    int64
	journaled bool  // the journal has grown
	ceiling   int64 // of the engine time; 0: as it was
	batches   []Batch
	dropped   []Batch // pruned: channel and last only
	skipped   bool    // skips were added
}

func newDelta(w *world) *delta {
	return &delta{
		world: w, next: w.next, lastID: w.lastID, channels: map[string]*channel{}, readers: map[readerKey]Reader{},
		positions: map[positionKey]Position{}, rerun: map[positionKey]bool{}, attempts: map[positionKey]Attempt{},
		joins: map[joinKey]Join{}, state: map[string]map[string][]byte{},
	}
}

func (d *delta) reset() {
	clear(d.channels)
	clear(d.readers)
	clear(d.positions)
	clear(d.rerun)
	clear(d.attempts)
	clear(d.joins)
	clear(d.state)
	clear(d.batches)
	d.batches, d.dropped, d.run, d.skipped, d.journaled, d.ceiling = d.batches[:0], d.dropped[:0], false, false, false, 0
	d.next, d.lastID = d.world.next, d.world.lastID
}

// peek returns the channel to look at, nil if the log does not know it.
func (d *delta) peek(name string) *channel {
	if c := d.channels[name]; c != nil {
		return c
	}
	return d.world.channels[name]
}

// touch returns the channel to change, nil if the log does not know it.
func (d *delta) touch(name string) *channel {
	if c := d.channels[name]; c != nil {
		return c
	}
	old := d.world.channels[name]
	if old == nil {
		return nil
	}
	c := *old
	d.channels[name] = &c
	return &c
}

func (d *delta) head(name string) Head {
	if c := d.peek(name); c != nil {
		return c.head
	}
	return Head{}
}

func (d *delta) reader(k readerKey) (Reader, bool) {
	if r, ok := d.readers[k]; ok {
		return r, !r.forgotten
	}
	r, ok := d.world.readers[k]
	return r, ok
}

// readersNear calls f for each reader row of the channel that is the node's or the store's, once for each.
func (d *delta) readersNear(channel, node string, store ID, f func(readerKey, Reader)) {
	for k := range d.world.near[nearKey{channel: channel, store: store}] {
		if _, changed := d.readers[k]; !changed {
			f(k, d.world.readers[k])
		}
	}
	for k := range d.world.near[nearKey{channel: channel, node: node}] {
		if _, changed := d.readers[k]; !changed && k.store != store {
			f(k, d.world.readers[k])
		}
	}
	for k, r := range d.readers {
		if !r.forgotten && k.channel == channel && (r.Node == node || k.store == store) {
			f(k, r)
		}
	}
}

// eachReader calls f for every reader row.
func (d *delta) eachReader(f func(readerKey, Reader)) {
	for k, r := range d.world.readers {
		if _, changed := d.readers[k]; !changed {
			f(k, r)
		}
	}
	for k, r := range d.readers {
		if !r.forgotten {
			f(k, r)
		}
	}
}

// setReader changes a row, or adds it.
func (w *world) setReader(k readerKey, r Reader) {
	if old, known := w.readers[k]; !known || old.Node != r.Node {
		w.removeReader(k)
		for _, n := range nearOf(k, &r) {
			if w.near[n] == nil {
				w.near[n] = map[readerKey]bool{}
			}
			w.near[n][k] = true
		}
	}
	w.readers[k] = r
}

func (w *world) removeReader(k readerKey) {
	old, known := w.readers[k]
	if !known {
		return
	}
	delete(w.readers, k)
	for _, n := range nearOf(k, &old) {
		if delete(w.near[n], k); len(w.near[n]) == 0 {
			delete(w.near, n)
		}
	}
}

func nearOf(k readerKey, r *Reader) [2]nearKey {
	return [2]nearKey{{channel: k.channel, node: r.Node}, {channel: k.channel, store: k.store}}
}

func (d *delta) position(k positionKey) (Position, bool) {
	if p, ok := d.positions[k]; ok {
		return p, true
	}
	p, ok := d.world.positions[k]
	return p, ok
}

func (d *delta) attempt(k positionKey) (Attempt, bool) {
	a, ok := d.attempts[k]
	if !ok {
		a, ok = d.world.attempts[k]
	}
	return a, ok && a.Count != 0
}

// merge makes the delta part of the world, once it is durable.
func (w *world) merge(d *delta, run ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, c := range d.channels {
		c.dirty = false
		w.channels[name], w.names[c.id] = c, name
	}
	for k, r := range d.readers {
		if r.forgotten {
			w.removeReader(k)
		} else {
			w.setReader(k, r)
		}
	}
	for k, p := range d.positions {
		w.positions[k] = p
	}
	for k, a := range d.attempts {
		if a.Count == 0 {
			delete(w.attempts, k)
		} else {
			w.attempts[k] = a
		}
	}
	for k, j := range d.joins {
		w.joins[k] = j
	}
	if d.run {
		w.runs = append(w.runs, Run{ID: run, First: d.batches[0].First})
	}
	w.next, w.lastID = d.next, d.lastID
}
