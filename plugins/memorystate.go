package plugins

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// MemoryState is durable state in memory, for tests and tools. The zero value is empty; its methods may be called by several goroutines.
type MemoryState struct {
	mu   sync.Mutex
	keys map[string][]byte // namespace, a zero byte, key
	err  error
}

// Fail makes every read return err from now on; nil mends it.
func (s *MemoryState) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Get implements State.
func (s *MemoryState) Get(namespace string, key []byte) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.keys[namespace+"\x00"+string(key)]
	return v, ok, s.err
}

// Next implements State.
func (s *MemoryState) Next(namespace string, after []byte) ([]byte, bool, error) {
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

func (s *MemoryState) sorted(namespace string) []string {
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
func (s *MemoryState) Apply(namespace string, changes []StateChange) {
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
func (s *MemoryState) All(namespace string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]byte)
	for _, key := range s.sorted(namespace) {
		all[key] = s.keys[namespace+"\x00"+key]
	}
	return all
}
