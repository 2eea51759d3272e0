package plugins

import (
	"testing"
	"time"
)

// TestWatchdogLiesDownAndWakes lets calls follow one another at once, and after a pause in which the watchdog went to sleep.
func TestWatchdogLiesDownAndWakes(t *testing.T) {
	w := newWatchdog()
	go w.run()
	defer w.close()
	for i := range 3 {
		var l timeLimit
		l.open(w)
		l.begin(time.Millisecond)
		select {
		case <-l.done:
		case <-time.After(10 * time.Second):
			t.Fatalf("call %d goes on", i)
		}
		l.end()
		l.shut()
		if i == 0 {
			continue
		}
		deadline := time.After(10 * time.Second)
		for poll := time.NewTicker(lookInterval); w.awake.Load(); {
			select {
			case <-poll.C:
			case <-deadline:
				t.Fatal("the watchdog stays awake")
			}
		}
	}
}
