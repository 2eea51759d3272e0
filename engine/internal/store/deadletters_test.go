package store

import (
	"fmt"
	"testing"
)

func letters(t *testing.T, s *Store, q DeadLetterQuery) (ids []int64) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	list, err := s.DeadLetters(q)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if l.Message != nil || l.Size != len("message") {
			t.Errorf("letter %d in a list: message %q, size %d", l.ID, l.Message, l.Size)
		}
		ids = append(ids, l.ID)
	}
	return ids
}

func buried(channel, node string, seq uint64) Progress {
	return Progress{Sender: id(7), Node: node, Channel: channel, Join: 3, Run: id(8), Seq: seq, Totals: Totals{Handled: seq - 1, Dead: 1},
		Dead: []DeadLetter{{Sender: id(7), Node: node, Channel: channel, Join: 3, Run: id(8), Seq: seq, Reason: "why", Attempts: 2, Wall: 12, Message: []byte("message")}}}
}

func TestDeadLettersAreChosenAndPaged(t *testing.T) {
	s, reopen := newStore(t)
	for i := range uint64(4) {
		do(t, s, Tx{Progress: []Progress{buried("a", "x", 10*i+1), buried("b", "y", 10*i+2)}})
	}
	both(s, reopen, func(s *Store) {
		for want, q := range map[string]DeadLetterQuery{
			"[1 2 3 4 5 6 7 8]": {}, "[1 3 5 7]": {Channel: "a"}, "[2 4 6 8]": {Node: "y"}, "[]": {Channel: "a", Node: "y"}, "[4 5]": {After: 3, Limit: 2}, "[3]": {After: 1, Through: 4, Channel: "a"},
		} {
			if got := letters(t, s, q); fmt.Sprint(got) != want {
				t.Errorf("%+v: %v, want %s", q, got, want)
			}
		}
		l, ok, err := s.DeadLetter(4)
		if err != nil || !ok || string(l.Message) != "message" || l.Channel != "b" || l.Node != "y" || l.Join != 3 || l.Seq != 12 || l.Sender != id(7) || l.Run != id(8) || l.Attempts != 2 || l.Wall != 12 {
			t.Errorf("letter 4: %+v, %v, %v", l, ok, err)
		}
		if _, ok, err := s.DeadLetter(9); ok || err != nil {
			t.Errorf("letter 9: %v, %v", ok, err)
		}
	})
}

func TestARevivedLetterMovesItsCount(t *testing.T) {
	s, reopen := newStore(t)
	do(t, s, Tx{Progress: []Progress{buried("a", "x", 5), buried("b", "x", 6)}})
	do(t, s, Tx{Revive: []int64{1, 1, 99}})
	do(t, s, Tx{Unbury: []int64{2}})
	both(s, reopen, func(s *Store) {
		for _, p := range s.AllPositions() {
			want := Totals{Handled: 5}
			if p.Channel == "b" {
				want = Totals{Handled: 5, Dead: 1}
			}
			if p.Totals != want || p.Seq == 0 {
				t.Errorf("%s: %+v", p.Channel, p)
			}
		}
		if got := letters(t, s, DeadLetterQuery{}); got != nil {
			t.Errorf("letters %v", got)
		}
	})
}
