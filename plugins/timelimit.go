package plugins

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// epoch is what monotonic times of the package count from.
var epoch = time.Now()

func monotonic() time.Duration { return time.Since(epoch) }

// timeLimit ends a guest's call that outlives its time: the host's watchdog finds the call overdue and sets the global that rewritten
// modules look at (see internal/meter), upon which the guest traps. That is one-way: an instance whose limit struck is done with.
//
// It is the context that calls run under, because an import finds its instance by it; the engine itself does not watch it.
type timeLimit struct {
	watchdog *watchdog
	done     chan struct{}
	struck   atomic.Bool
	ends     atomic.Int64 // monotonic nanoseconds at which the call under way must end; 0 between calls, overdue once it did not
	late     bool         // a call ended just as the limit struck

	mu   sync.Mutex
	stop api.MutableGlobal // nil until there is an instance
}

// open puts the limit under the watchdog's eyes; shut must follow.
func (t *timeLimit) open(w *watchdog) {
	t.watchdog, t.done = w, make(chan struct{})
	w.watch(t)
}

func (t *timeLimit) shut() { t.watchdog.forget(t) }

// arm names the global that stops the guest. If the limit struck before, it is set at once.
func (t *timeLimit) arm(stop api.MutableGlobal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop = stop
	if t.struck.Load() {
		stop.Set(1)
	}
}

// begin starts the clock of a call.
func (t *timeLimit) begin(d time.Duration) {
	t.ends.Store(int64(monotonic() + d))
	t.watchdog.rouse()
}

// end stops the clock.
func (t *timeLimit) end() {
	if t.ends.Swap(0) == overdue {
		t.late = true
	}
}

const overdue = -1

// check strikes if the call under way is overdue; it tells whether there is one.
func (t *timeLimit) check(now time.Duration) (running bool) {
	ends := t.ends.Load()
	if ends > 0 && int64(now) >= ends && t.ends.CompareAndSwap(ends, overdue) {
		t.strike()
	}
	return ends > 0
}

// strike ends the call under way and makes the instance useless.
func (t *timeLimit) strike() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.struck.CompareAndSwap(false, true) {
		close(t.done)
		if t.stop != nil {
			t.stop.Set(1)
		}
	}
}

// left is the time that the call under way still has.
func (t *timeLimit) left() time.Duration {
	return max(0, time.Duration(t.ends.Load())-monotonic())
}

// sleep waits for the guest. A sleep that would outlast the call ends when the limit strikes.
func (t *timeLimit) sleep(nanoseconds int64) {
	select {
	case <-time.After(time.Duration(max(0, nanoseconds))):
	case <-t.done:
	}
}

// over tells whether the limit struck, or is about to.
func (t *timeLimit) over() bool { return t.late || t.struck.Load() }

// The methods of context.Context.
func (t *timeLimit) Deadline() (time.Time, bool) { return time.Time{}, false }
func (t *timeLimit) Done() <-chan struct{}       { return t.done }
func (t *timeLimit) Value(any) any               { return nil }
func (t *timeLimit) Err() error {
	if t.struck.Load() {
		return context.DeadlineExceeded
	}
	return nil
}
