package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/getevo/rmds-router/router/chaos/child"
)

// Faults are what was done to the network.
type Faults struct {
	// Kills counts SIGKILLs by process, those of NATS left out.
	Kills map[string]int `json:"kills"`
	// Outages of NATS, and how long they were in all.
	Outages  int           `json:"nats_outages"`
	NATSDown time.Duration `json:"nats_down_ns"`
	// Pauses count processes that were stopped where they stood for a while.
	Pauses int `json:"pauses"`
	// FullStorages counts how often the writer's storage was full, so that it refused messages.
	FullStorages int `json:"full_storages"`
}

func (f *Faults) kills() (n int) {
	for _, k := range f.Kills {
		n += k
	}
	return n
}

const (
	// squeezed is the smallest storage that a configuration takes.
	squeezed = "storage.max_size=4MiB"
	// fillPatience is how long it may take until that is full.
	fillPatience = 10 * time.Second
)

// monkey does things to the network, as its seed decides.
type monkey struct {
	*cluster
	load   *load
	random *rand.Rand
	note   func(format string, args ...any)
	done   Faults
}

// run goes on until ctx ends, and leaves everything running. Every fault repairs what it did before it returns.
func (m *monkey) run(ctx context.Context) error {
	for pause(ctx, m.between(200, 1500)) {
		if err := m.strike(ctx); err != nil {
			return err
		}
		if err := m.fault(); err != nil {
			return err
		}
	}
	return nil
}

func (m *monkey) strike(ctx context.Context) error {
	switch n := m.random.IntN(20); {
	case n < 10:
		return m.killSome(ctx)
	case n < 14:
		return m.outage(ctx)
	case n < 17 && child.CanPause:
		return m.suspend(ctx)
	case n < 19:
		return m.squeeze(ctx)
	}
	return m.killSome(ctx)
}

func (m *monkey) between(low, high int) time.Duration {
	return time.Duration(low+m.random.IntN(high-low)) * time.Millisecond
}

func (m *monkey) anyNode() *router { return m.nodes[m.random.IntN(len(m.nodes))] }

// killed ends a process that has to be running, and counts.
func (m *monkey) killed(r *router) error {
	if err := r.Kill(); err != nil {
		return err
	}
	if r != m.nats {
		m.done.Kills[r.Name]++
	}
	return nil
}

// killSome kills one or two routers, which are back a moment later.
func (m *monkey) killSome(ctx context.Context) error {
	victims := []*router{m.anyNode()}
	if other := m.anyNode(); other != victims[0] && m.random.IntN(3) == 0 {
		victims = append(victims, other)
	}
	for _, r := range victims {
		if err := m.killed(r); err != nil {
			return err
		}
		m.note("kill -9 %s", r.Name)
	}
	pause(ctx, m.between(0, 500))
	var errs []error
	for _, r := range victims {
		errs = append(errs, r.restart())
	}
	return errors.Join(errs...)
}

// outage takes NATS away for a while, in which a router may be killed as well.
func (m *monkey) outage(ctx context.Context) error {
	down := m.between(300, 4000)
	m.note("NATS is away for %s", down)
	if err := m.killed(m.nats); err != nil {
		return err
	}
	begun := time.Now()
	pause(ctx, down/2)
	var err error
	if m.random.IntN(2) == 0 {
		err = m.killSome(ctx)
	}
	pause(ctx, down-time.Since(begun))
	m.done.Outages++
	m.done.NATSDown += time.Since(begun)
	return errors.Join(err, m.nats.restart())
}

// suspend stops a process where it stands, with its connections open, and lets it go on.
func (m *monkey) suspend(ctx context.Context) error {
	victim := m.all()[m.random.IntN(len(m.all()))]
	still := m.between(300, 3000)
	m.note("%s is paused for %s", victim.Name, still)
	if err := victim.Pause(); err != nil {
		return err
	}
	m.done.Pauses++
	pause(ctx, still)
	return victim.Resume()
}

// squeeze restarts the writer with the smallest storage and takes NATS away, so that the storage is full with what nobody has had
// yet, and later gives it all back.
func (m *monkey) squeeze(ctx context.Context) error {
	m.note("kill -9 %s, whose storage is then full; NATS is away", writerName)
	if err := errors.Join(m.killed(m.nats), m.killed(m.writer())); err != nil {
		return err
	}
	begun := time.Now()
	if err := m.writer().restart(squeezed); err != nil {
		return err
	}
	before := m.load.refused.Load()
	m.load.bulk.Store(true)
	for m.load.refused.Load() == before && time.Since(begun) < fillPatience && pause(ctx, 20*time.Millisecond) {
	}
	m.load.bulk.Store(false)
	if m.load.refused.Load() > before {
		m.done.FullStorages++
		pause(ctx, m.between(300, 2000))
	}
	m.done.Outages++
	m.done.NATSDown += time.Since(begun)
	if err := m.killed(m.writer()); err != nil {
		return fmt.Errorf("with a full storage: %w", err)
	}
	return errors.Join(m.writer().restart(), m.nats.restart())
}
