package plugins

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// overlay keeps what calls of one plugin wrote and nobody committed yet. Calls take turns: one begins, issues its outcome, and releases the turn when the
// outcome has its place in the order of commits. Turns are therefore issued, and settled, in one order, and a key's pending values form a
// queue in that order. What leaves the front of the queue is durable and goes to the read cache; a failed turn takes itself and everything behind it out.
type overlay struct {
	free chan struct{} // holds one token while no call has the turn

	failed atomic.Uint64 // failures so far: a call that began before the latest is void

	mu     sync.Mutex
	queue  []*turn
	keys   map[string][]version
	sorted []string // the keys of keys, in order, unless stale
	stale  bool
	cache  readCache
	onFail func() // called after a failure, outside of mu
}

// version is a value that a turn wrote; nil deletes.
type version struct {
	by    *turn
	value []byte
}

// turn is one outcome of a stateful plugin, from issue to settlement.
type turn struct {
	o        *overlay
	keys     []string
	settled  bool // told by Settle
	released atomic.Bool
	void     atomic.Bool // set under the overlay's lock
	emit     [1]Emit     // room for the only emit of a call, so that it costs no memory of its own
}

func newOverlay(onFail func()) *overlay {
	o := &overlay{free: make(chan struct{}, 1), keys: make(map[string][]version), onFail: onFail}
	o.free <- struct{}{}
	return o
}

// begin waits for the turn, until ctx ends or closed is closed; age must be handed to issue.
func (o *overlay) begin(ctx context.Context, closed <-chan struct{}) (age uint64, err error) {
	select {
	case <-o.free: // mostly, and much cheaper than to wait for three things
		return o.failed.Load(), nil
	default:
	}
	select {
	case <-o.free:
		return o.failed.Load(), nil
	case <-closed:
		return 0, ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// issue ends a call with an unused turn: its writes become visible to later ones. A call that a failure overtook issues nothing, and is void.
func (o *overlay) issue(t *turn, age uint64, changes []StateChange) {
	t.o = o
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range changes {
		t.keys = append(t.keys, string(c.Key))
	}
	if age != o.failed.Load() {
		t.void.Store(true)
		return
	}
	o.queue = append(o.queue, t)
	for i, c := range changes {
		versions := o.keys[t.keys[i]]
		o.stale = o.stale || len(versions) == 0
		o.keys[t.keys[i]] = append(versions, version{t, c.Value})
		o.cache.remove(t.keys[i])
	}
}

// release lets the next call begin.
func (t *turn) release() {
	if !t.released.Swap(true) {
		t.o.free <- struct{}{}
	}
}

// settle says what became of the turn's effects. Only the first time counts.
func (t *turn) settle(err error) {
	o := t.o
	o.mu.Lock()
	failed := false
	switch {
	case t.settled:
	case t.void.Load():
		for _, key := range t.keys { // in case the caller committed it all the same
			o.cache.remove(key)
		}
	case err == nil:
		t.settled = true
		o.advance()
	default:
		o.fail(t)
		failed = true
	}
	t.settled = true
	o.mu.Unlock()
	if failed {
		o.onFail()
	}
}

// advance takes the settled turns off the front. Nothing behind an unsettled one moves, because its values hide theirs.
func (o *overlay) advance() {
	n, whole := 0, o.queue
	for _, t := range o.queue {
		if !t.settled {
			break
		}
		n++
		for _, key := range t.keys {
			versions := o.keys[key]
			if len(versions) > 1 {
				o.keys[key] = versions[1:]
				continue
			}
			o.cache.put(key, bytes.Clone(versions[0].value))
			delete(o.keys, key)
			o.stale = true
		}
	}
	if o.queue = o.queue[n:]; len(o.queue) == 0 {
		o.queue = whole[:0] // so that it does not have to grow again
	}
}

// fail makes t, every turn behind it, and the call under way void.
func (o *overlay) fail(t *turn) {
	o.failed.Add(1)
	at := slices.Index(o.queue, t)
	for _, gone := range o.queue[at:] {
		gone.void.Store(true)
	}
	for key, versions := range o.keys {
		i := slices.IndexFunc(versions, func(v version) bool { return v.by.void.Load() })
		switch {
		case i == 0:
			delete(o.keys, key)
			o.stale = true
		case i > 0:
			o.keys[key] = slices.Delete(versions, i, len(versions))
		}
	}
	o.queue = slices.Delete(o.queue, at, len(o.queue))
}

// get is the newest value of a key that no commit is known to hold, or else the one the cache remembers. known is false if neither knows the key;
// a nil value says it is absent.
func (o *overlay) get(key []byte) (value []byte, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if versions := o.keys[string(key)]; len(versions) > 0 {
		return versions[len(versions)-1].value, true
	}
	return o.cache.get(string(key))
}

// remember keeps what State said of a key. No turn can have written it since the call that asked did not find it pending: that call has the turn.
func (o *overlay) remember(key string, value []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cache.put(key, value)
}

// above is the smallest key above after that has a pending value, deletions included.
func (o *overlay) above(after string) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stale {
		o.sorted, o.stale = o.sorted[:0], false
		for key := range o.keys {
			o.sorted = append(o.sorted, key)
		}
		slices.Sort(o.sorted)
	}
	return firstAbove(o.sorted, after)
}
