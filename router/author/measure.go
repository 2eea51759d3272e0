package author

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/plugins"
)

// Measurement is what one call of a plugin costs, host and effects on keys in memory included: medians over several rounds.
type Measurement struct {
	Entry       string // filter or handle
	Calls       int
	PerCall     time.Duration
	Allocations float64 // of the host, a call
	Load        time.Duration
	LoadAgain   time.Duration // with the compilation cached
	Verdicts    map[string]int
}

// rounds is how many times a measurement is taken; the median counts.
const rounds = 5

// Measure calls a plugin with one body over and over for about the given time.
func Measure(ctx context.Context, c plugins.Config, body []byte, cacheDir string, total time.Duration) (*Measurement, error) {
	m := &Measurement{Verdicts: map[string]int{}}
	state := &plugins.MemoryState{}
	options := plugins.HostOptions{CacheDir: cacheDir, Logger: zerolog.Nop(), State: state}
	var err error
	if m.Load, err = timedLoad(ctx, plugins.HostOptions{Logger: zerolog.Nop()}, c); err != nil {
		return nil, err
	}
	if _, err = timedLoad(ctx, options, c); err == nil { // fills the cache
		m.LoadAgain, err = timedLoad(ctx, options, c)
	}
	if err != nil {
		return nil, err
	}
	host := plugins.NewHost(options)
	defer host.Close(context.WithoutCancel(ctx))
	p, err := host.Load(ctx, c)
	if err != nil {
		return nil, err
	}
	m.measure(ctx, p, state, body, total/rounds)
	return m, ctx.Err()
}

func timedLoad(ctx context.Context, o plugins.HostOptions, c plugins.Config) (time.Duration, error) {
	host := plugins.NewHost(o)
	defer host.Close(context.WithoutCancel(ctx))
	began := time.Now()
	_, err := host.Load(ctx, c)
	return time.Since(began), err
}

func (m *Measurement) measure(ctx context.Context, p *plugins.Plugin, state *plugins.MemoryState, body []byte, each time.Duration) {
	call := p.Handle
	m.Entry = "handle"
	if p.Kind()&plugins.Filters != 0 {
		call, m.Entry = p.Filter, "filter"
	}
	message := plugins.Message{ID: "m1", Channel: "test", Sender: "tester", Body: body, Seq: 1, Attempt: 1}
	var times []time.Duration
	var allocations []float64
	for range rounds {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		calls, began := 0, time.Now()
		for time.Since(began) < each && ctx.Err() == nil {
			for range 64 { // the clock is not what is measured
				o := call(ctx, &message)
				state.Apply(p.Name(), o.Effects.State)
				o.Release()
				o.Settle(nil)
				m.Verdicts[o.Verdict.String()]++
				calls++
			}
		}
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if calls == 0 {
			return
		}
		m.Calls += calls
		times = append(times, took/time.Duration(calls))
		allocations = append(allocations, float64(after.Mallocs-before.Mallocs)/float64(calls))
	}
	slices.Sort(times)
	slices.Sort(allocations)
	m.PerCall, m.Allocations = times[len(times)/2], allocations[len(allocations)/2]
}

// String is the measurement in a few lines.
func (m *Measurement) String() string {
	return fmt.Sprintf("%s: %s a call, %.1f allocations, over %d calls %v\nload: %s, from the compilation cache %s\n", m.Entry, m.PerCall, m.Allocations, m.Calls, m.Verdicts,
		m.Load.Round(100*time.Microsecond), m.LoadAgain.Round(100*time.Microsecond))
}
