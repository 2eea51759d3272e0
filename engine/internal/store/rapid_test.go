package store

import (
	"errors"
	"testing"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
	"pgregory.net/rapid"
)

// TestModel runs random work, in groups, with restarts of all kinds in between, against the model.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) }
		d := crashvfs.New(1)
		defer func() { d.Close() }()
		o := onDisk(d)
		o.BatchMessages, o.TailBytes, o.checkpointPages = 5, 1+pick("tail", 1000), 1+pick("checkpoint", 30)
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Abort() }()
		m := newModel()
		number := 0
		group := func() {
			done := make(chan error, 9)
			generated := m.clone() // moves name places that are committed
			n := 1 + pick("group", 5)
			for range n {
				number++
				tx := randomTx(pick, generated, number)
				m.apply(tx)
				tx.Done = func(err error) { done <- err }
				s.Submit(tx)
			}
			for range n {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
		}
		restart := func() {
			switch pick("how", 3) {
			case 0:
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			case 1:
				s.Abort()
				old := d
				d = d.Restart()
				old.Close()
			case 2:
				s.Abort()
				old := d
				d = d.PowerCut()
				old.Close()
			}
			o.VFS = d.Name()
			if s, err = Open(o); err != nil {
				t.Fatal(err)
			}
		}
		for range pick("steps", 12) {
			switch pick("step", 6) {
			case 0:
				restart()
			case 1:
				limit := 1 + pick("limit", 100)
				n, err := s.Prune(limit, s.Now())
				if err != nil {
					t.Fatal(err)
				}
				if err := m.prune(s, n < limit); err != nil {
					t.Fatal(err)
				}
			default:
				group()
			}
			if err := errors.Join(m.compare(s), m.compareRest(s)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
