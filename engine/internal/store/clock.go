package store

import (
	"sync/atomic"
	"time"
)

// engineLease is how far ahead of the clock the persisted engine time is written, and so how often a busy writer writes it.
const engineLease = time.Second

// clock counts engine time. The database holds a ceiling that the clock had not passed at the newest commit; after a crash it goes
// on from there, so it is never below the time of any durable commit.
type clock struct {
	elapsed func() time.Duration
	start   time.Duration // elapsed at base
	base    int64         // engine milliseconds
	last    atomic.Int64  // the newest value given out
	ceiling int64         // durable; the writer's
}

func (c *clock) reset(base int64) {
	c.base, c.ceiling = base, base
	c.start = c.elapsed()
	c.last.Store(base)
}

// now is safe for use from anywhere and never goes back, whatever elapsed does.
func (c *clock) now() int64 {
	v := c.base + int64((c.elapsed()-c.start)/time.Millisecond)
	for {
		last := c.last.Load()
		if v <= last {
			return last
		}
		if c.last.CompareAndSwap(last, v) {
			return v
		}
	}
}

// Now is the engine time in milliseconds. It does not advance while the process is down and never goes back: after a crash it goes
// on from a value that is not below the time of the newest durable commit, and at most a second above it.
func (s *Store) Now() int64 { return s.clock.now() }
