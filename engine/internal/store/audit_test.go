package store

import (
	"fmt"
	"testing"
)

func TestAuditKeepsTheNewestAndReplacesOutcomes(t *testing.T) {
	s, reopen := newStore(t)
	entry := func(n int) AuditEntry {
		return AuditEntry{Order: Order{id(1), id(2), uint64(n)}, Node: "alice", Wall: int64(n), Action: fmt.Sprint("order ", n), Outcome: "begun"}
	}
	for n := range AuditSize + 7 {
		s.Submit(&Tx{Audit: []AuditEntry{entry(n)}})
	}
	last := entry(AuditSize + 6)
	last.Outcome, last.Failed, last.Over = "bob did not answer", true, true
	if err := s.Do(&Tx{Audit: []AuditEntry{last}}); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func() *Store{func() *Store { return s }, reopen} {
		list, err := open().Audit()
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != AuditSize {
			t.Fatalf("%d entries, want %d", len(list), AuditSize)
		}
		list[0].ID = 0
		if list[0] != last {
			t.Errorf("the newest is %+v, want %+v", list[0], last)
		}
		if oldest := list[AuditSize-1]; oldest.Order.Number != 7 || oldest.Outcome != "begun" {
			t.Errorf("the oldest is %+v, want order 7", oldest)
		}
	}
}
