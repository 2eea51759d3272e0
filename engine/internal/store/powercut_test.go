package store

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
)

var (
	cuts     = flag.Int("cuts", defaultCuts, "how many power cuts TestPowerCuts makes")
	firstCut = flag.Int64("cuts.seed", 1, "the first of its seeds")
)

// cutter is a node whose power is cut again and again, and what it must find each time.
type cutter struct {
	random  *rand.Rand
	disk    *crashvfs.Disk
	opt     Options
	model   *model
	number  int               // of the newest Tx made
	sent    []*Tx             // since the last comparison
	acked   int               // how many of them succeeded: always the first ones
	seen    map[string]uint64 // per channel, from where on names are compared
	named   map[uint64]string // sequence: the run that wrote it and its content, once seen durable
	store   *Store
	clock   int64 // the engine time before the newest Tx that succeeded
	commits int
	cuts    int
	lost    int  // messages that came after the last one acked and are gone: allowed
	kill    bool // the process dies, the power stays
}

func newCutter(seed uint64, syncMode string) *cutter {
	c := &cutter{random: rand.New(rand.NewPCG(seed, 1)), disk: crashvfs.New(seed), model: newModel(), named: map[uint64]string{}, seen: map[string]uint64{}}
	c.opt = onDisk(c.disk)
	c.opt.Sync, c.opt.BatchMessages = syncMode, 5
	c.opt.TailBytes, c.opt.checkpointPages = 1+c.random.IntN(500), 5+c.random.IntN(60)
	c.opt.PerChannel = false
	return c
}

// cycle makes one life of the node and its end, and compares what is left.
func (c *cutter) cycle() error {
	if c.store == nil || c.random.IntN(6) == 0 { // cut the start, too
		c.end()
		c.disk.CutAfter(c.random.IntN(60))
		if err := c.open(); err != nil && !c.disk.Dead() {
			return fmt.Errorf("open: %w", err)
		}
	} else {
		c.disk.CutAfter(c.random.IntN(80))
	}
	if c.store != nil {
		c.live(c.store)
		c.end()
	}
	old := c.disk
	if c.kill || c.random.IntN(8) == 0 {
		c.disk = old.Restart()
	} else {
		c.disk = old.PowerCut()
		c.cuts++
	}
	old.Close()
	if err := c.open(); err != nil {
		return fmt.Errorf("open after the cut: %w", err)
	}
	return c.check(c.store)
}

func (c *cutter) open() (err error) {
	c.opt.VFS = c.disk.Name()
	c.store, err = Open(c.opt)
	return err
}

func (c *cutter) end() {
	if c.store != nil {
		c.store.Abort()
		c.store = nil
	}
}

// live submits work until the disk is gone, or for a while.
func (c *cutter) live(s *Store) {
	for range 1 + c.random.IntN(4) {
		n := 1 + c.random.IntN(4)
		outcome := make(chan error, n)
		generated := c.model.clone()
		now := s.Now()
		for range n {
			c.number++
			tx := randomTx(func(_ string, n int) int { return c.random.IntN(n) }, generated, c.number)
			tx.State = append(tx.State, StateChange{Namespace: "n", Value: fmt.Append(nil, c.number)})
			tx.Done = func(err error) { outcome <- err }
			c.sent = append(c.sent, tx)
			s.Submit(tx)
		}
		failed := false
		for range n {
			if err := <-outcome; err != nil {
				failed = true
			} else {
				c.acked++
				c.clock = now
				c.commits++
			}
		}
		if failed {
			return
		}
	}
}

// check compares what is left with the model as of the newest Tx that it holds.
func (c *cutter) check(s *Store) error {
	newest := 0
	value, found, err := s.Get("n", nil)
	if err != nil {
		return err
	}
	if found {
		if _, err := fmt.Sscan(string(value), &newest); err != nil {
			return err
		}
	}
	durable := newest - (c.number - len(c.sent))
	if durable > len(c.sent) {
		return fmt.Errorf("%d transactions came back after they were found to be lost", durable-len(c.sent))
	}
	if durable < c.acked {
		return fmt.Errorf("%w: %d of %d acked", errLost, c.acked-durable, c.acked)
	}
	if now := s.Now(); now < c.clock {
		return fmt.Errorf("engine time went back from %d to %d", c.clock, now)
	}
	c.lost += len(c.sent) - durable
	for _, tx := range c.sent[:durable] {
		c.model.apply(tx)
	}
	c.number = newest
	c.sent, c.acked = nil, 0
	if err := c.model.compare(s); err != nil {
		return err
	}
	if c.random.IntN(8) == 0 {
		if err := c.model.compareRest(s); err != nil {
			return err
		}
	}
	return c.names(s)
}

var errLost = errors.New("acknowledged work is lost")

// names holds that what a run and a sequence name never changes.
func (c *cutter) names(s *Store) error {
	for name := range c.model.heads {
		batches, err := s.Read(name, c.seen[name], 1<<30)
		if err != nil {
			return err
		}
		for _, b := range batches {
			for seq := b.First; seq <= b.Last; seq++ {
				is := fmt.Sprintf("%x %s %c", b.Run, name, body(b.Blob)[seq-b.First])
				if was, known := c.named[seq]; known && was != is {
					return fmt.Errorf("sequence %d was %s and is %s", seq, was, is)
				}
				c.named[seq] = is
			}
			if c.random.IntN(4) == 0 {
				c.seen[name] = b.First // mostly look at what is new
			}
		}
	}
	return nil
}

// life cuts the power up to n times, on a disk that starts empty.
func life(seed uint64, syncMode string, n int) (*cutter, error) {
	c := newCutter(seed, syncMode)
	defer func() { c.end(); c.disk.Close() }()
	for range n {
		if err := c.cycle(); err != nil {
			return c, fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return c, nil
}

// cutsPerLife keeps the logs short, and makes enough cuts fall on the first start.
const cutsPerLife = 40

// TestPowerCuts cuts the power at random operations and proves each time: what was acknowledged is there; what is there is a
// prefix of what was submitted, whole; no name of a message changes its meaning; engine time does not go back.
func TestPowerCuts(t *testing.T) {
	workers := max(2, runtime.GOMAXPROCS(0))
	var seeds, made, commits, lost atomic.Int64
	seeds.Store(*firstCut - 1)
	t.Cleanup(func() {
		t.Logf("%d power cuts: %d transactions acknowledged, none lost; %d not acknowledged and not found", made.Load(), commits.Load(), lost.Load())
	})
	for w := range workers {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			t.Parallel()
			for made.Load() < int64(*cuts) {
				c, err := life(uint64(seeds.Add(1)), "full", cutsPerLife)
				if err != nil {
					t.Fatal(err)
				}
				made.Add(int64(c.cuts))
				commits.Add(int64(c.commits))
				lost.Add(int64(c.lost))
			}
		})
	}
}

// TestTheCutsFindMissingSyncs plants the bug that the test above is there for.
func TestTheCutsFindMissingSyncs(t *testing.T) {
	for seed := range uint64(40) {
		switch _, err := life(seed, "normal", cutsPerLife); {
		case errors.Is(err, errLost):
			t.Log("found:", err)
			return
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Fatal("commits that were not synced survived a thousand power cuts")
}

// TestTheEndOfTheProcessLosesNothing holds in either mode.
func TestTheEndOfTheProcessLosesNothing(t *testing.T) {
	for _, mode := range []string{"full", "normal"} {
		for seed := range uint64(4) {
			c := newCutter(seed, mode)
			c.kill = true
			for range cutsPerLife {
				if err := c.cycle(); err != nil {
					t.Fatal(mode, seed, err)
				}
			}
			c.end()
			c.disk.Close()
		}
	}
}
