package plugins

import (
	"slices"
)

// writes are a call's own changes of keys, which its later reads see.
type writes struct {
	list   []write
	index  map[string]int // by key, into list
	sorted []string       // the keys in byte order, when not stale
	stale  bool
}

type write struct {
	key     string
	value   span
	deleted bool
}

func (w *writes) reset() {
	if len(w.list) == 0 {
		return
	}
	w.list, w.sorted, w.stale = w.list[:0], w.sorted[:0], false
	if len(w.index) > 1024 {
		w.index = nil
	}
	clear(w.index)
}

// find is the call's own change of a key.
func (w *writes) find(key []byte) (*write, bool) {
	i, ok := w.index[string(key)]
	if !ok {
		return nil, false
	}
	return &w.list[i], true
}

// slot is the entry of a key, made if there is none yet.
func (w *writes) slot(key []byte) *write {
	if own, ok := w.find(key); ok {
		return own
	}
	if w.index == nil {
		w.index = make(map[string]int)
	}
	w.index[string(key)] = len(w.list)
	w.list = append(w.list, write{key: string(key)})
	w.stale = true
	return &w.list[len(w.list)-1]
}

// above is the smallest changed key above after.
func (w *writes) above(after string) (string, bool) {
	if w.stale {
		w.sorted, w.stale = w.sorted[:0], false
		for i := range w.list {
			w.sorted = append(w.sorted, w.list[i].key)
		}
		slices.Sort(w.sorted)
	}
	return firstAbove(w.sorted, after)
}

func firstAbove(sorted []string, after string) (string, bool) {
	i, found := slices.BinarySearch(sorted, after)
	if found {
		i++
	}
	if i >= len(sorted) {
		return "", false
	}
	return sorted[i], true
}

// changes are the writes as the outcome carries them, with values that lie in c's arena.
func (w *writes) changes(c *call) []StateChange {
	if len(w.list) == 0 {
		return nil
	}
	out := make([]StateChange, len(w.list))
	for i, change := range w.list {
		out[i].Key = []byte(change.key)
		if !change.deleted {
			out[i].Value = c.bytes(change.value)
			if out[i].Value == nil {
				out[i].Value = []byte{}
			}
		}
	}
	return out
}

// set records a value. It reports false, with nothing done, when the effects would pass the limit. A value no longer than the one
// that the call already wrote there takes its place, so that a counter moved a million times stays small.
func (c *call) set(key, value []byte, limit int64) bool {
	if own, ok := c.writes.find(key); ok && !own.deleted && own.value.n >= len(value) {
		copy(c.arena[own.value.from:], value)
		own.value.n = len(value)
		return true
	}
	if !c.fits(int64(len(key)+len(value)), limit) {
		return false
	}
	c.overhead += effectOverhead + int64(len(key))
	kept := c.keep(value)
	own := c.writes.slot(key)
	own.value, own.deleted = kept, false
	return true
}

// del records a deletion.
func (c *call) del(key []byte, limit int64) bool {
	if own, ok := c.writes.find(key); ok && own.deleted {
		return true
	}
	if !c.fits(int64(len(key)), limit) {
		return false
	}
	c.overhead += effectOverhead + int64(len(key))
	own := c.writes.slot(key)
	own.value, own.deleted = span{}, true
	return true
}
