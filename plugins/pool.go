package plugins

import (
	"context"
	"sync"
	"time"
)

// After this many faults in a row a new instance is made only after a pause, which doubles with every further one.
const (
	faultsBeforePause = 3
	firstPause        = 10 * time.Millisecond
	longestPause      = 5 * time.Second
)

// pool holds a plugin's instances: at most as many as it has slots, one call in each.
type pool struct {
	slots   chan struct{} // a token for every call that may run now
	closing chan struct{}
	build   func(age uint64) (*instance, error)
	lost    func() // called for every instance thrown away

	mu     sync.Mutex
	made   map[*instance]struct{}
	idle   []*instance // most recently used last
	age    uint64      // instances made before the latest renewal are not used again
	faults int         // in a row
	pause  time.Time   // no new instance before
}

func newPool(size int, build func(age uint64) (*instance, error), lost func()) *pool {
	p := &pool{
		slots: make(chan struct{}, size), closing: make(chan struct{}), build: build, lost: lost,
		made: make(map[*instance]struct{}),
	}
	for range size {
		p.slots <- struct{}{}
	}
	return p
}

// slot waits for leave to call.
func (p *pool) slot(ctx context.Context) error {
	select {
	case <-p.slots:
		return nil
	default:
	}
	select {
	case <-p.slots:
		return nil
	case <-p.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take gives an instance to call; put must follow. An error of ctx, or ErrClosed, means that none was needed any more; another, that none could be made.
func (p *pool) take(ctx context.Context) (*instance, error) {
	if err := p.slot(ctx); err != nil {
		return nil, err
	}
	in, age := p.pop()
	if in != nil {
		return in, nil
	}
	if err := p.wait(ctx); err != nil {
		p.slots <- struct{}{}
		return nil, err
	}
	in, err := p.build(age)
	if err != nil {
		p.faulted()
		p.slots <- struct{}{}
		return nil, err
	}
	p.mu.Lock()
	p.made[in] = struct{}{}
	p.mu.Unlock()
	return in, nil
}

func (p *pool) pop() (*instance, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
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

func (p *pool) faulted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults++
	if n := p.faults - faultsBeforePause; n >= 0 {
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
	if u == useFaulted {
		p.faulted()
	}
	p.mu.Lock()
	if u == useWorked {
		p.faults = 0
	}
	keep := u != useFaulted && u != useSpoiled && !in.spent() && in.age == p.age
	if keep {
		p.idle = append(p.idle, in)
	}
	p.mu.Unlock()
	if !keep {
		p.discard(in)
	}
	p.slots <- struct{}{}
}

// giveSlot gives back a slot that no instance was taken for.
func (p *pool) giveSlot() { p.slots <- struct{}{} }

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
	if p.faults < faultsBeforePause {
		return 0
	}
	return max(0, time.Until(p.pause))
}

// close allows no further call, waits for those that run, and retires the instances. When ctx ends first, the calls are ended.
func (p *pool) close(ctx context.Context) {
	close(p.closing)
	for range cap(p.slots) {
		select {
		case <-p.slots:
			continue
		default:
		}
		select {
		case <-p.slots:
		case <-ctx.Done():
			p.strike()
			<-p.slots
		}
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
