// Package pluginstest is for testing plugins: a host with keys in memory, and runs of messages through a plugin with every outcome committed in order.
package pluginstest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/plugins"
)

// Harness is a host for the time of a test.
type Harness struct {
	Host  *plugins.Host
	State *State
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
	h := &Harness{State: &State{}, Log: &Log{}}
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

// State is durable state in memory. The zero value is empty.
type State struct {
	mu   sync.Mutex
	keys map[string][]byte // namespace, a zero byte, key
	err  error
}

// Fail makes every read return err from now on; nil mends it.
func (s *State) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Get implements plugins.State.
func (s *State) Get(namespace string, key []byte) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.keys[namespace+"\x00"+string(key)]
	return v, ok, s.err
}

// Next implements plugins.State.
func (s *State) Next(namespace string, after []byte) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, false, s.err
	}
	for _, key := range s.sorted(namespace) {
		if after == nil || key > string(after) {
			return []byte(key), true, nil
		}
	}
	return nil, false, nil
}

func (s *State) sorted(namespace string) []string {
	var keys []string
	for k := range s.keys {
		if key, ok := strings.CutPrefix(k, namespace+"\x00"); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Apply makes changes durable.
func (s *State) Apply(namespace string, changes []plugins.StateChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = make(map[string][]byte)
	}
	for _, c := range changes {
		if c.Value == nil {
			delete(s.keys, namespace+"\x00"+string(c.Key))
			continue
		}
		s.keys[namespace+"\x00"+string(c.Key)] = bytes.Clone(c.Value)
	}
}

// All is every key of a namespace with its value.
func (s *State) All(namespace string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]byte)
	for _, key := range s.sorted(namespace) {
		all[key] = s.keys[namespace+"\x00"+key]
	}
	return all
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
