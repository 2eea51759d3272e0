package store

import (
	"sort"
	"sync"
)

// tail holds the newest batches in memory, so that a reader in step with the log needs no SQL.
type tail struct {
	mu       sync.RWMutex
	limit    int
	bytes    int
	channels map[string]*tailChannel
	order    []*tailChannel // whose batch is the oldest, next oldest, …; from begin on
	begin    int
}

type tailChannel struct {
	batches []Batch // in order; from begin on
	begin   int
}

func newTail(limit int) *tail { return &tail{limit: limit, channels: map[string]*tailChannel{}} }

func (c *tailChannel) live() []Batch { return c.batches[c.begin:] }

func (c *tailChannel) dropFirst() {
	c.batches[c.begin] = Batch{}
	c.begin++
	if c.begin > 32 && c.begin*2 > len(c.batches) {
		n := copy(c.batches, c.batches[c.begin:])
		clear(c.batches[n:])
		c.batches, c.begin = c.batches[:n], 0
	}
}

// add takes batches that are durable.
func (t *tail) add(batches []Batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range batches {
		b := &batches[i]
		c := t.channels[b.Channel]
		if c == nil {
			c = &tailChannel{}
			t.channels[b.Channel] = c
		}
		c.batches = append(c.batches, *b)
		t.order = append(t.order, c)
		t.bytes += len(b.Blob)
	}
	for t.bytes > t.limit && t.begin < len(t.order) {
		t.evict()
	}
	if t.begin > 32 && t.begin*2 > len(t.order) {
		n := copy(t.order, t.order[t.begin:])
		clear(t.order[n:])
		t.order, t.begin = t.order[:n], 0
	}
}

// evict drops the oldest batch; t.mu is held. What pruning took away leaves a place in order that finds its channel's list empty.
func (t *tail) evict() {
	c := t.order[t.begin]
	t.order[t.begin] = nil
	t.begin++
	if live := c.live(); len(live) > 0 {
		t.bytes -= len(live[0].Blob)
		c.dropFirst()
	}
}

// prune drops a channel's batches up to floor.
func (t *tail) prune(channel string, floor uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.channels[channel]
	for c != nil && len(c.live()) > 0 && c.live()[0].Last <= floor {
		t.bytes -= len(c.live()[0].Blob)
		c.dropFirst()
	}
}

// read returns the channel's batches with Last > after, up to maxBytes but at least one, and whether it can know them all.
func (t *tail) read(channel string, after uint64, maxBytes int) ([]Batch, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c := t.channels[channel]
	if c == nil {
		return nil, false
	}
	live := c.live()
	if len(live) == 0 || live[0].Prev > after {
		return nil, false
	}
	from := sort.Search(len(live), func(i int) bool { return live[i].Last > after })
	n, size := from, 0
	for n < len(live) && (n == from || size+len(live[n].Blob) <= maxBytes) {
		size += len(live[n].Blob)
		n++
	}
	return append([]Batch(nil), live[from:n]...), true
}

// at returns the channel's last batch that begins at or before seq, if the tail knows it.
func (t *tail) at(channel string, seq uint64) (Batch, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c := t.channels[channel]
	if c == nil {
		return Batch{}, false
	}
	live := c.live()
	i := sort.Search(len(live), func(i int) bool { return live[i].First > seq })
	if i == 0 {
		return Batch{}, false
	}
	return live[i-1], true
}

func (t *tail) size() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return int64(t.bytes)
}
