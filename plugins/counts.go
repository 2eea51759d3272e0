package plugins

import (
	"maps"
	"sync"
	"sync/atomic"
)

// counts are a plugin's statistics.
type counts struct {
	verdicts             [Fault + 1]atomic.Uint64
	instances, discarded atomic.Uint64
	linesDropped         atomic.Uint64

	mu     sync.Mutex
	custom map[string]int64
}

// maxCustom bounds the counters that a guest may name; further names are ignored.
const maxCustom = 100

func (c *counts) add(name []byte, delta int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.custom[string(name)]; ok || len(c.custom) < maxCustom {
		if c.custom == nil {
			c.custom = make(map[string]int64)
		}
		c.custom[string(name)] = n + delta
	}
}

func (c *counts) snapshot() Stats {
	s := Stats{
		Passed: c.verdicts[Pass].Load(), Dropped: c.verdicts[Drop].Load(), Retried: c.verdicts[Retry].Load(),
		Dead: c.verdicts[Dead].Load(), Faults: c.verdicts[Fault].Load(),
		Instances: c.instances.Load(), Discarded: c.discarded.Load(), LinesDropped: c.linesDropped.Load(),
	}
	s.Calls = s.Passed + s.Dropped + s.Retried + s.Dead + s.Faults
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Custom = maps.Clone(c.custom)
	return s
}
