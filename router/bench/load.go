package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// backlog is how many messages may be accepted and not yet handled by the slowest receiver. The sender then waits: a run shows
	// what flows, not how fast one end can fill a disk. No fast subject notices it.
	backlog = 100_000
	// stalled is how long a run may go on without a message handled before it fails.
	stalled = 30 * time.Second
	// poll is how often a wait looks again.
	poll = time.Millisecond
	// closing bounds how long one node may take to close.
	closing = 10 * time.Second
)

// sender is the sending end of a subject. Its methods are called from several goroutines.
type sender interface {
	// send returns when the message is accepted.
	send(ctx context.Context, data []byte) error
	// queue starts a send and returns; it may wait for room.
	queue(ctx context.Context, data []byte) error
	// flush returns when everything queued is accepted, with the first error of any.
	flush(ctx context.Context) error
}

// load drives one run of a case.
type load struct {
	c         Case
	payload   *payload
	sender    sender
	receivers []*tally
	// recorded returns once the sender's end has on record that every receiver handled n messages.
	recorded func(ctx context.Context, n int) error

	sent atomic.Int64
}

// newTallies returns the accounts of a case's receivers, and the payload that they expect.
func newTallies(c Case) (*payload, []*tally, error) {
	if c.Receivers < 1 {
		return nil, nil, fmt.Errorf("%w: %d receivers", ErrPlan, c.Receivers)
	}
	p, err := newPayload(c.Size)
	if err != nil {
		return nil, nil, err
	}
	tallies := make([]*tally, c.Receivers)
	for i := range tallies {
		tallies[i] = &tally{payload: p}
	}
	return p, tallies, nil
}

// run sends one message to see that every receiver is there, then measures.
func (l *load) run(ctx context.Context) (Result, error) {
	if err := l.sender.send(ctx, l.payload.message(0, 0)); err != nil {
		return Result{}, fmt.Errorf("send the first message: %w", err)
	}
	l.sent.Add(1)
	if err := l.settle(ctx); err != nil {
		return Result{}, fmt.Errorf("first message: %w", err)
	}

	cpu, start := processCPU(), time.Now()
	if err := l.generate(ctx, start.Add(l.c.Duration)); err != nil {
		return Result{}, err
	}
	if err := l.settle(ctx); err != nil {
		return Result{}, err
	}
	return Result{Messages: int(l.sent.Load()) - 1, Elapsed: time.Since(start), CPU: processCPU() - cpu}, nil
}

// generate sends until the time is over and everything is accepted.
func (l *load) generate(ctx context.Context, until time.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var writers sync.WaitGroup
	for w := range l.c.Mode.writers() {
		writers.Go(func() {
			if err := l.write(ctx, w, until); err != nil {
				cancel(fmt.Errorf("writer %d: %w", w, err))
			}
		})
	}
	writers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := l.sender.flush(ctx); err != nil {
		return fmt.Errorf("wait until all is accepted: %w", err)
	}
	return nil
}

// write is one writer. It looks at the clock and the backlog only now and then when sends cost little.
func (l *load) write(ctx context.Context, writer int, until time.Time) error {
	send, every := l.sender.send, 1
	if l.c.Mode == Batched {
		send, every = l.sender.queue, 64
	}
	first := 0
	if writer == 0 {
		first = 1 // message 0 was the one before the measurement
	}
	for n := first; ; n++ {
		if n%every == 0 {
			if time.Now().After(until) {
				return nil
			}
			if err := l.waitFor(ctx, l.sent.Load()-backlog); err != nil {
				return err
			}
		}
		if err := send(ctx, l.payload.message(writer, n)); err != nil {
			return fmt.Errorf("send message %d: %w", n, err)
		}
		l.sent.Add(1)
	}
}

// settle returns when every receiver has handled everything sent, in order, and that is on record.
func (l *load) settle(ctx context.Context) error {
	n := l.sent.Load()
	if err := l.waitFor(ctx, n); err != nil {
		return err
	}
	if err := l.recorded(ctx, int(n)); err != nil {
		return fmt.Errorf("wait until all is on record: %w", err)
	}
	for i, r := range l.receivers {
		if got := r.count.Load(); got != n {
			return fmt.Errorf("%w: receiver %d handled %d messages of %d", ErrDelivery, i+1, got, n)
		}
	}
	return nil
}

// waitFor returns when every receiver has handled n messages, or with an error at the first fault, or when nothing moves.
func (l *load) waitFor(ctx context.Context, n int64) error {
	best, moved := int64(-1), time.Now()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		slowest, err := l.slowest()
		if err != nil || slowest >= n {
			return err
		}
		if slowest > best {
			best, moved = slowest, time.Now()
		} else if time.Since(moved) > stalled {
			return fmt.Errorf("%w for %s: the slowest receiver handled %d messages of %d", ErrStalled, stalled, slowest, n)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (l *load) slowest() (int64, error) {
	least := int64(-1)
	for i, r := range l.receivers {
		if err := r.err(); err != nil {
			return 0, fmt.Errorf("receiver %d: %w", i+1, err)
		}
		if n := r.count.Load(); least < 0 || n < least {
			least = n
		}
	}
	return least, nil
}

// until calls done every now and then until it is true.
func until(ctx context.Context, done func() (bool, error)) error {
	for deadline := time.Now().Add(stalled); ; {
		if ok, err := done(); err != nil || ok {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w for %s", ErrStalled, stalled)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
