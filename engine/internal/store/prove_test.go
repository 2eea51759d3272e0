package store

import "testing"

// TestProve: a proof is the same whenever this store makes it, and another for everything else.
func TestProve(t *testing.T) {
	s, again := newStore(t)
	other, _ := newStore(t)
	proof := s.Prove(id(1), "c", 2)
	for name, p := range map[string]ID{"nothing": {}, "another sender": s.Prove(id(2), "c", 2), "another channel": s.Prove(id(1), "d", 2), "another join": s.Prove(id(1), "c", 3),
		"another store": other.Prove(id(1), "c", 2)} {
		if p == proof {
			t.Errorf("the proof of %s is the same", name)
		}
	}
	if again().Prove(id(1), "c", 2) != proof {
		t.Error("another proof after a restart")
	}
}
