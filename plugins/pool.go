package plugins

import (
	"context"
	"slices"
	"sync"
	"time"
)

// SuspendAfter is how many faults in a row suspend a plugin: a new instance is made only after a pause, which doubles with every further one.
const SuspendAfter = 3

const (
	firstPause   = 10 * time.Millisecond
	longestPause = 5 * time.Second
)

// pool holds a plugin's instances: at most as many as it has slots, one call in each. A call takes a slot; those that find none queue.
type pool struct {
	size    int
	closing chan struct{}
	empty   chan struct{} // closed when the pool is closing and every slot is free
	build   func(age uint64) (*instance, error)
	lost    func() // called for every instance thrown away

	mu     sync.Mutex
	free   int             // slots
	queue  []chan struct{} // of calls that wait for a slot; each is closed when its call has one
	made   map[*instance]struct{}
	idle   []*instance // most recently used last
	age    uint64      // instances made before the latest renewal are not used again
	faults int         // in a row
	pause  time.Time   // no new instance before
	closed bool
}

func newPool(size int, build func(age uint64) (*instance, error), lost func()) *pool {
	return &pool{
		size: size, free: size, closing: make(chan struct{}), empty: make(chan struct{}), build: build, lost: lost,
		made: make(map[*instance]struct{}),
	}
}

// slot waits for leave to call; giveSlot must follow.
func (p *pool) slot(ctx context.Context) error {
	p.mu.Lock()
	ready := p.enter()
	p.mu.Unlock()
	return p.await(ctx, ready)
}

// enter takes a free slot, or a place in the queue, which await waits in. Under mu.
func (p *pool) enter() (ready chan struct{}) {
	if p.free > 0 && !p.closed {
		p.free--
		return nil
	}
	ready = make(chan struct{})
	p.queue = append(p.queue, ready)
	return ready
}

func (p *pool) await(ctx context.Context, ready chan struct{}) (err error) {
	if ready == nil {
		return nil
	}
	select {
	case <-ready:
		return nil
	case <-p.closing:
		err = ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.queue, ready); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
	} else {
		p.leave() // it came all the same
	}
	return err
}

// leave hands a slot to the call that has waited longest. Under mu.
func (p *pool) leave() {
	if len(p.queue) > 0 {
		close(p.queue[0])
		p.queue = slices.Delete(p.queue, 0, 1)
		return
	}
	p.free++
	p.drained()
}

// drained tells close when nothing runs any more. Under mu.
func (p *pool) drained() {
	if p.closed && p.free == p.size {
		close(p.empty)
	}
}

// take gives an instance to call; put must follow. An error of ctx, or ErrClosed, means that none was needed any more; another, that none could be made.
func (p *pool) take(ctx context.Context) (*instance, error) {
	p.mu.Lock()
	ready := p.enter()
	if ready != nil {
		p.mu.Unlock()
		if err := p.await(ctx, ready); err != nil {
			return nil, err
		}
		p.mu.Lock()
	}
	in, age := p.pop()
	p.mu.Unlock()
	if in != nil {
		return in, nil
	}
	if err := p.wait(ctx); err != nil {
		p.giveSlot()
		return nil, err
	}
	in, err := p.build(age)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.faulted()
		p.leave()
		return nil, err
	}
	p.made[in] = struct{}{}
	return in, nil
}

// pop is the idle instance used last, if there is one. Under mu.
func (p *pool) pop() (*instance, uint64) {
	if len(p.idle) == 0 {
		return nil, p.age
	}
	in := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return in, p.age
}

// wait sits out the pause after repeated faults.
func (p *pool) wait(ctx context.Context) error {
	p.mu.Lock()
	d := time.Until(p.pause)
	p.mu.Unlock()
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// faulted counts a fault in a row. Under mu.
func (p *pool) faulted() {
	p.faults++
	if n := p.faults - SuspendAfter; n >= 0 {
		p.pause = time.Now().Add(min(longestPause, firstPause<<min(n, 16)))
	}
}

// use is how an instance fared.
type use uint8

const (
	useWorked  use = iota // a call came back
	useFaulted            // a call did not: the guest's fault
	useSpoiled            // a call did not, without its fault
	useOther              // it served something else than a call
)

// put gives an instance back. One whose call did not come back, or that is older than the latest renewal, is thrown away.
func (p *pool) put(in *instance, u use) {
	p.mu.Lock()
	switch u {
	case useFaulted:
		p.faulted()
	case useWorked:
		p.faults = 0
	}
	if u == useFaulted || u == useSpoiled || in.spent() || in.age != p.age {
		p.mu.Unlock()
		p.discard(in) // before another takes its place and memory
		p.giveSlot()
		return
	}
	p.idle = append(p.idle, in)
	p.leave()
	p.mu.Unlock()
}

// giveSlot gives back a slot that no instance is taken for.
func (p *pool) giveSlot() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave()
}

// renew throws away all instances: the idle ones now, those in use when they come back.
func (p *pool) renew() {
	p.mu.Lock()
	gone := p.idle
	p.idle = nil
	p.age++
	p.mu.Unlock()
	for _, in := range gone {
		p.discard(in)
	}
}

func (p *pool) discard(in *instance) {
	p.mu.Lock()
	delete(p.made, in)
	p.mu.Unlock()
	in.discard()
	p.lost()
}

// faultsInRow is how many calls failed since the last that did not.
func (p *pool) faultsInRow() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// paused is how long no new instance is made after repeated faults; 0 if one is made at once.
func (p *pool) paused() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults < SuspendAfter {
		return 0
	}
	return max(0, time.Until(p.pause))
}

// close allows no further call, waits for those that run, and retires the instances. When ctx ends first, the calls are ended.
func (p *pool) close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	close(p.closing)
	p.drained()
	p.mu.Unlock()
	select {
	case <-p.empty:
	case <-ctx.Done():
		p.strike()
		<-p.empty
	}
	p.mu.Lock()
	gone := p.idle
	p.idle, p.made = nil, nil
	p.mu.Unlock()
	for _, in := range gone {
		in.retire()
	}
}

// strike ends every call that runs.
func (p *pool) strike() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for in := range p.made {
		in.strike()
	}
}
