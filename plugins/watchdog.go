package plugins

import (
	"sync"
	"sync/atomic"
	"time"
)

// A watchdog looks at all calls of a host this often, and lies down when it saw none for idleLooks looks.
const (
	lookInterval = 5 * time.Millisecond
	idleLooks    = 40
)

// watchdog strikes the calls of a host that are overdue, at most a few milliseconds late. It is one goroutine, which sleeps while no calls run, so that a
// call costs it one load. A call's time counts from the first look after its beginning.
type watchdog struct {
	awake atomic.Bool
	wake  chan struct{} // one token
	quit  chan struct{}
	gone  chan struct{}

	mu      sync.Mutex
	watched map[*timeLimit]struct{}
}

// newWatchdog makes a watchdog; its owner has to run it.
func newWatchdog() *watchdog {
	return &watchdog{
		wake: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{}), watched: make(map[*timeLimit]struct{}),
	}
}

// close ends run; no call may run any more.
func (w *watchdog) close() {
	close(w.quit)
	<-w.gone
}

func (w *watchdog) watch(t *timeLimit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched[t] = struct{}{}
}

func (w *watchdog) forget(t *timeLimit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watched, t)
}

// rouse makes sure that the watchdog sees a call whose clock was started before.
func (w *watchdog) rouse() {
	if !w.awake.Load() {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// run is the watchdog's life.
func (w *watchdog) run() {
	defer close(w.gone)
	for {
		// A call that began while awake was still true sent no token, but this look finds it.
		if w.awake.Store(false); !w.look() {
			select {
			case <-w.wake:
			case <-w.quit:
				return
			}
		}
		w.awake.Store(true)
		if !w.guard() {
			return
		}
	}
}

// guard looks around until there was nothing to see for a while, or the watchdog has to go.
func (w *watchdog) guard() bool {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for idle := 0; idle < idleLooks; idle++ {
		select {
		case <-ticker.C:
		case <-w.quit:
			return false
		}
		if w.look() {
			idle = 0
		}
	}
	return true
}

// look strikes what is overdue and tells whether any call runs.
func (w *watchdog) look() (running bool) {
	now := monotonic()
	w.mu.Lock()
	defer w.mu.Unlock()
	for t := range w.watched {
		running = t.check(now) || running
	}
	return running
}
