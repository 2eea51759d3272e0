package plugins

import (
	"context"
	"math"
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
	ends     atomic.Int64 // 0 between calls; see begin, check and overdue
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

// begin starts a call that may take so long. Its time counts from the watchdog's next look: to ask the clock would cost a short call more than all
// else here.
func (t *timeLimit) begin(d time.Duration) {
	t.ends.Store(-int64(max(1, d)))
	t.watchdog.rouse()
}

// end stops the clock.
func (t *timeLimit) end() {
	if t.ends.Swap(0) == overdue {
		t.late = true
	}
}

// overdue stands in place of the end of a call that passed it.
const overdue = math.MinInt64

// check starts the clock of a call that is new, and strikes one that is overdue; it tells whether a call is under way. Of a new call ends
// holds the time it may take, negated; then the monotonic nanoseconds at which it must end.
func (t *timeLimit) check(now time.Duration) (running bool) {
	switch ends := t.ends.Load(); {
	case ends == 0 || ends == overdue:
		return false
	case ends < 0:
		t.ends.CompareAndSwap(ends, int64(now)-ends) // another new call with the same limit is as well served
	case int64(now) >= ends && t.ends.CompareAndSwap(ends, overdue):
		t.strike()
	}
	return true
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

// left is the time that the call under way still has, to a few milliseconds.
func (t *timeLimit) left() time.Duration {
	switch ends := t.ends.Load(); {
	case ends == overdue:
		return 0
	case ends < 0:
		return time.Duration(-ends)
	default:
		return max(0, time.Duration(ends)-monotonic())
	}
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
