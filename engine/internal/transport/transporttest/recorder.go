package transporttest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// Recorder is a handler that keeps all it gets, and fails the test when it is called twice at the same time.
type Recorder struct {
	// Hold, if set before Start, is called with each message before it is recorded.
	Hold func(subject string)

	t      testing.TB
	inside sync.Mutex

	mu     sync.Mutex
	log    []string
	events []transport.Event
	change chan struct{} // closed at the next entry
}

// NewRecorder returns an empty recorder.
func NewRecorder(t testing.TB) *Recorder { return &Recorder{t: t, change: make(chan struct{})} }

// Receive records a message as "subject=data".
func (r *Recorder) Receive(subject string, data []byte) {
	r.alone(func() {
		if r.Hold != nil {
			r.Hold(subject)
		}
	})
	r.add(subject+"="+string(data), nil)
	// It is the handler's: whoever else sees this change was given the same memory.
	for i := range data {
		data[i] = '!'
	}
}

// Event records an event as its kind.
func (r *Recorder) Event(e transport.Event) {
	r.alone(func() {})
	r.add(e.Kind.String(), &e)
}

// alone fails the test when another call is under way. It is over before the call is recorded: whoever sees the record may cause the next
// call, which the connections of a pool make from another goroutine.
func (r *Recorder) alone(f func()) {
	if !r.inside.TryLock() {
		r.t.Error("the handler was called twice at the same time")
		return
	}
	defer r.inside.Unlock()
	f()
}

func (r *Recorder) add(entry string, e *transport.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, entry)
	if e != nil {
		r.events = append(r.events, *e)
	}
	close(r.change)
	r.change = make(chan struct{})
}

// Log returns all that was recorded.
func (r *Recorder) Log() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

// Messages returns the recorded messages without the events.
func (r *Recorder) Messages() []string {
	return slices.DeleteFunc(r.Log(), func(s string) bool { return !slices.Contains([]byte(s), '=') })
}

// Until waits until ok accepts the log and returns the log; if that takes too long, it fails the test.
func (r *Recorder) Until(what string, ok func(log []string) bool) []string {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		log, change := slices.Clone(r.log), r.change
		r.mu.Unlock()
		if ok(log) {
			return log
		}
		select {
		case <-change:
		case <-deadline.C:
			r.t.Fatalf("waited in vain for %s: %q", what, log[max(0, len(log)-20):])
		}
	}
}

// Has waits for n entries that are exactly entry.
func (r *Recorder) Has(n int, entry string) {
	r.t.Helper()
	r.Until(fmt.Sprintf("%d of %q", n, entry), func(log []string) bool { return count(log, entry) >= n })
}

// FirstEvent waits for an event of the kind and returns the first.
func (r *Recorder) FirstEvent(k transport.EventKind) transport.Event {
	r.t.Helper()
	r.Has(1, k.String())
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[slices.IndexFunc(r.events, func(e transport.Event) bool { return e.Kind == k })]
}

func count(log []string, entry string) (n int) {
	for _, s := range log {
		if s == entry {
			n++
		}
	}
	return n
}
