package router

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/config"
)

// stage is a plugin at work in this router.
type stage struct {
	*plugins.Plugin
	config plugins.Config
	// gate admits one message at a time to a plugin that keeps state; nil for others.
	gate *gate
	// refused says why the latest attempt to reload failed; nil if it did not.
	refused atomic.Pointer[string]
	// refusals is how many reloads failed.
	refusals atomic.Int64
}

// gate orders what one stateful plugin does. Whoever holds it may call the plugin as often as one message needs, and lets go once
// the effects have their place in the order of commits, so that commits follow the order of calls.
type gate struct {
	name string
	turn chan struct{} // holds one token while nobody has the turn
}

func newGate(name string) *gate {
	g := &gate{name: name, turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

// gates are those of every plugin that one message may reach. They are always taken in the order of their names, so that two
// messages never wait for each other.
type gates []*gate

// take waits for all of them, or gives back what it has when ctx ends.
func (g gates) take(ctx context.Context) error {
	for i, one := range g {
		select {
		case <-one.turn:
		case <-ctx.Done():
			g[:i].release()
			return ctx.Err()
		}
	}
	return nil
}

func (g gates) release() {
	for _, one := range g {
		one.turn <- struct{}{}
	}
}

// gatesFor finds the gates of the named plugins, and of the outbound filters that their emits, and those filters' own, may meet.
func (r *Router) gatesFor(names ...string) gates {
	var list gates
	seen := map[string]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		s := r.stages[name]
		if s == nil || seen[name] {
			continue
		}
		seen[name] = true
		if s.gate != nil {
			list = append(list, s.gate)
		}
		names = append(names, r.filtersBehind(s.config)...)
	}
	slices.SortFunc(list, func(a, b *gate) int { return cmp.Compare(a.name, b.name) })
	return list
}

// filtersBehind are the outbound filters of every channel that a plugin may emit or redirect to.
func (r *Router) filtersBehind(p plugins.Config) []string {
	var names []string
	for _, ch := range r.config.Channels {
		if mayEmit(p, ch) {
			names = append(names, ch.Outbound...)
		}
	}
	return names
}

func mayEmit(p plugins.Config, ch config.Channel) bool {
	return slices.Contains(p.Allow.Emit, ch.Name) || slices.Contains(p.Allow.Emit, "*")
}
