package outbox

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/store"
)

// slowLog takes an hour to list skips.
type slowLog struct {
	quietLog
	reader store.Reader
}

func (l *slowLog) Readers() []store.Reader { return []store.Reader{l.reader} }

func (l *slowLog) Skips(channel string, reader store.ID, join, from, to uint64) ([]store.SkipRange, error) {
	time.Sleep(time.Hour)
	return l.quietLog.Skips(channel, reader, join, from, to)
}

// TestNobodyWaitsWhileSkipsAreRead sends and reports while the log is asked what is skipped; in a bubble a wait for a lock would never end.
func TestNobodyWaitsWhileSkipsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{reader: store.Reader{Store: store.ID{9}, Node: "r", Channel: "c", Join: 1}}
		log.total = map[string]uint64{}
		log.add(store.ID{2}, "c", 4, 10, 0)
		log.skips = []store.SkipRange{{Channel: "c", From: 1, To: 2}}
		l := newLedger(log, 4)
		read := func() chan struct{} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				l.skipped()
			}()
			synctest.Wait()
			return done
		}
		first := read()
		if _, err := l.accept("c", 1, false); err == nil {
			t.Error("a message above the limit was accepted before its skips were read")
		}
		<-first
		second := read()
		// This is on its way to the store while the log is read again.
		l.addShed(&log.reader, store.SkipRange{Channel: "c", From: 3, To: 3}, 1)
		<-second
		for range 3 {
			if _, err := l.accept("c", 1, false); err != nil {
				t.Error(err)
			}
		}
		if n := l.sheds[keyOf(&log.reader)].count(); n != 3 {
			t.Errorf("%d messages count as skipped, want 3", n)
		}
	})
}
