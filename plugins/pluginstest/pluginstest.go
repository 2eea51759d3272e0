// Package pluginstest is for testing plugins: a host with keys in memory, and runs of messages through a plugin with every outcome committed in order.
package pluginstest

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/plugins"
)

// Harness is a host for the time of a test.
type Harness struct {
	Host  *plugins.Host
	State *plugins.MemoryState
	Log   *Log
}

// New makes a harness that is closed with the test.
func New(t testing.TB) *Harness {
	t.Helper()
	return NewCached(t, "")
}

// NewCached is New with a folder for compiled modules, so that a large one is compiled for one test only.
func NewCached(t testing.TB, cache string) *Harness {
	t.Helper()
	h := &Harness{State: &plugins.MemoryState{}, Log: &Log{}}
	h.Host = plugins.NewHost(plugins.HostOptions{CacheDir: cache, Logger: zerolog.New(h.Log), State: h.State})
	t.Cleanup(func() {
		if err := h.Host.Close(context.Background()); err != nil {
			t.Errorf("close the host: %v", err)
		}
	})
	return h
}

// Load loads a plugin, or fails the test.
func (h *Harness) Load(t testing.TB, c plugins.Config) *plugins.Plugin {
	t.Helper()
	p, err := h.Host.Load(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Run puts messages through a plugin one after another: as a filter if it is one, else as a handler. Effects on keys are committed to State.
func (h *Harness) Run(p *plugins.Plugin, messages ...plugins.Message) []plugins.Outcome {
	outcomes := make([]plugins.Outcome, len(messages))
	for i := range messages {
		call := p.Handle
		if p.Kind()&plugins.Filters != 0 {
			call = p.Filter
		}
		outcomes[i] = call(context.Background(), &messages[i])
		h.Commit(p, outcomes[i])
	}
	return outcomes
}

// Commit takes an outcome to its end: effects on keys become durable, then it is released and settled.
func (h *Harness) Commit(p *plugins.Plugin, o plugins.Outcome) {
	h.State.Apply(p.Name(), o.Effects.State)
	o.Release()
	o.Settle(nil)
}

// Run loads a plugin and puts messages through it; see Harness.Run.
func Run(t testing.TB, c plugins.Config, messages ...plugins.Message) []plugins.Outcome {
	t.Helper()
	h := New(t)
	return h.Run(h.Load(t, c), messages...)
}

// Bodies makes messages of channel "in" with these bodies.
func Bodies(bodies ...string) []plugins.Message {
	messages := make([]plugins.Message, len(bodies))
	for i, b := range bodies {
		messages[i] = plugins.Message{ID: "m", Channel: "in", Sender: "tester", Body: []byte(b), Seq: uint64(i + 1), Attempt: 1}
	}
	return messages
}

// Log is what the host logged, as lines of JSON.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// String is everything so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
