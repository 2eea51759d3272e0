package router

import (
	"fmt"
	"sync"
	"time"
)

// The waits between two tries at an output that fails.
const (
	firstHold = 100 * time.Millisecond
	longHold  = 30 * time.Second
)

// hold is the state of a consumer whose output fails: its messages wait, however long that takes, and no attempt is counted.
type hold struct {
	mu     sync.Mutex
	since  time.Time // zero: the output works
	reason string
	wait   time.Duration // before the next try
}

// failed takes note that the output has failed, and tells how long to wait, and whether that is news.
func (h *hold) failed(reason string, now time.Time) (wait time.Duration, news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	news = h.since.IsZero()
	if news {
		h.since, h.wait = now, firstHold
	}
	h.reason = reason
	wait = h.wait
	h.wait = min(2*h.wait, longHold)
	return wait, news
}

// worked takes note that the output works, and tells how long it did not; 0: it worked before, too.
func (h *hold) worked(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return 0
	}
	waited := now.Sub(h.since)
	h.since, h.reason = time.Time{}, ""
	return max(waited, time.Millisecond)
}

// state is for people; empty while the output works.
func (h *hold) state() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return ""
	}
	return fmt.Sprintf("blocked since %s: %s", h.since.Format("2006-01-02 15:04:05"), h.reason)
}
