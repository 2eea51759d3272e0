package sim

import (
	"strconv"
	"sync"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/internal/planted"
)

// sums is the namespace of what plugins count.
const sums = "sums"

// plugin stands for a stateful plugin between the engine and its handler: one counter that every message of a channel moves,
// whoever sent it. It reads what it wrote before that is durable, as the plugin host lets its guests do, and so depends on the engine to
// commit effects in the order in which they got their place, and to tell of every one what became of it.
type plugin struct {
	run  *run
	name string // of its counter
	turn chan struct{}

	mu      sync.Mutex
	pending []*write // not known to be durable, in order
	failed  int
}

type write struct{ value int }

func newPlugin(r *run, name string) *plugin {
	p := &plugin{run: r, name: name, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// plugin finds the plugin of a channel; all senders share it.
func (r *run) plugin(channel, sender string) *plugin {
	key := channel
	if planted.OverlayPerLane {
		key += "/" + sender
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plugins[key] == nil {
		r.plugins[key] = newPlugin(r, channel)
	}
	return r.plugins[key]
}

// count adds one, as part of the result's effects. It returns false if the call is void: a write that it built on failed.
func (p *plugin) count(result *engine.Result) bool {
	select {
	case <-p.turn:
	case <-p.run.dead:
		return false
	}
	p.mu.Lock()
	age := p.failed
	p.mu.Unlock()
	value, err := p.value()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || age != p.failed {
		p.turn <- struct{}{}
		return false
	}
	w := &write{value + 1}
	p.pending = append(p.pending, w)
	result.Effects.State = append(result.Effects.State, engine.StateChange{Namespace: sums, Key: []byte(p.name), Value: strconv.AppendInt(nil, int64(w.value), 10)})
	result.Queued = func() { p.turn <- struct{}{} }
	settled := result.Settled
	result.Settled = func(err error) {
		p.settle(w, err)
		if settled != nil {
			settled(err)
		}
	}
	return true
}

// value is the newest value, durable or not.
func (p *plugin) value() (int, error) {
	p.mu.Lock()
	if n := len(p.pending); n > 0 {
		defer p.mu.Unlock()
		return p.pending[n-1].value, nil
	}
	p.mu.Unlock()
	text, found, err := p.run.c.State().Get(sums, []byte(p.name))
	if err != nil || !found {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// settle takes a write off the list: what is behind one that failed is void.
func (p *plugin) settle(w *write, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.pending {
		if p.pending[i] != w {
			continue
		}
		if err == nil {
			p.pending = append(p.pending[:i:i], p.pending[i+1:]...)
		} else {
			p.pending = p.pending[:i]
			p.failed++
		}
		return
	}
}

// sum reads a channel's counter.
func (r *run) sum(channel string) (int, error) { return newPlugin(r, channel).value() }
