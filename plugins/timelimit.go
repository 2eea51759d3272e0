package plugins

import (
	"context"
	"sync/atomic"
	"time"
)

// epoch is what monotonic times of the package count from.
var epoch = time.Now()

func monotonic() time.Duration { return time.Since(epoch) }

// timeLimit ends a guest's call that outlives its time. It is the context that the call runs under: wazero, with WithCloseOnContextDone,
// looks at Done in every loop and at every call of a function, and closes the module once it is closed. That is one-way: an instance whose
// limit struck is done with, so that one channel serves it for life and a call costs no allocation here.
//
// This file and the runtime's WithCloseOnContextDone are all that knows how a guest is stopped.
type timeLimit struct {
	done   chan struct{}
	struck atomic.Bool
	ends   atomic.Int64 // monotonic nanoseconds at which the call under way must end; 0 between calls, overdue once it did not
	late   bool         // a call ended just as the limit struck
	timer  *time.Timer
}

func (t *timeLimit) open() { t.done = make(chan struct{}) }

// begin starts the clock of a call.
func (t *timeLimit) begin(d time.Duration) {
	t.ends.Store(int64(monotonic() + d))
	if t.timer == nil {
		t.timer = time.AfterFunc(d, t.check)
		return
	}
	t.timer.Reset(d)
}

// end stops the clock.
func (t *timeLimit) end() {
	t.timer.Stop()
	if t.ends.Swap(0) == overdue {
		t.late = true
	}
}

const overdue = -1

// check strikes if the call under way is overdue. A timer that fires late, in another call than its own, finds that one not due.
func (t *timeLimit) check() {
	if ends := t.ends.Load(); ends > 0 && int64(monotonic()) >= ends && t.ends.CompareAndSwap(ends, overdue) {
		t.strike()
	}
}

// strike ends the call under way and makes the instance useless.
func (t *timeLimit) strike() {
	if t.struck.CompareAndSwap(false, true) {
		close(t.done)
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

// The methods of context.Context. There is no deadline to ask for: wazero only waits for Done.
func (t *timeLimit) Deadline() (time.Time, bool) { return time.Time{}, false }
func (t *timeLimit) Done() <-chan struct{}       { return t.done }
func (t *timeLimit) Value(any) any               { return nil }
func (t *timeLimit) Err() error {
	if t.struck.Load() {
		return context.DeadlineExceeded
	}
	return nil
}
