package store

import (
	"reflect"
	"testing"
)

func at(run ID, seq, handled uint64) Progress {
	return Progress{Sender: id(7), Node: "edge", Channel: "a", Join: 2, Run: run, Seq: seq, Totals: Totals{Handled: handled}}
}

func TestPositions(t *testing.T) {
	s, reopen := newStore(t)
	r1, r2, r3 := id(1), id(2), id(3)
	do(t, s, Tx{Progress: []Progress{at(r1, 5, 5), at(r1, 9, 9)}})
	do(t, s, Tx{Progress: []Progress{at(r2, 12, 11), at(r3, 13, 12)}})
	do(t, s, Tx{Progress: []Progress{at(r2, 14, 13)}}) // back in a run it knew
	attempt := at(r2, 0, 99)
	attempt.Attempt = &Attempt{Run: r2, Seq: 15, Count: 1}
	do(t, s, Tx{Progress: []Progress{attempt}})
	want := Position{Sender: id(7), Node: "edge", Channel: "a", Join: 2, Run: r2, Seq: 14, Totals: Totals{Handled: 13},
		Older: []RunPosition{{r3, 13}, {r1, 9}}}
	s = both(s, reopen, func(s *Store) {
		if got := s.Positions(id(7)); !reflect.DeepEqual(got, []Position{want}) || !reflect.DeepEqual(s.AllPositions(), got) {
			t.Fatalf("%+v", got)
		}
		if got := s.Attempts(id(7)); !reflect.DeepEqual(got, []AttemptAt{{Channel: "a", Join: 2, Attempt: Attempt{r2, 15, 1}}}) {
			t.Fatalf("%+v", got)
		}
		if s.Positions(id(8)) != nil || s.Attempts(id(8)) != nil {
			t.Fatal("another sender's")
		}
	})
	do(t, s, Tx{Progress: []Progress{at(r2, 15, 14)}})
	if s = reopen(); len(s.Attempts(id(7))) != 0 {
		t.Fatal("an attempt outlived its message")
	}
}

func TestOlderRunsAreBounded(t *testing.T) {
	s, reopen := newStore(t)
	for i := range olderRuns + 10 {
		do(t, s, Tx{Progress: []Progress{at(id(i+1), 1, 1)}})
	}
	p := reopen().Positions(id(7))[0]
	if len(p.Older) != olderRuns || p.Older[0].Run != id(olderRuns+9) {
		t.Fatal(len(p.Older), p.Older[0])
	}
}

func TestDeadLetters(t *testing.T) {
	s, reopen := newStore(t)
	letter := DeadLetter{Sender: id(7), Node: "edge", Channel: "a", Run: id(1), Seq: 3, Reason: "no luck", Attempts: 10, Wall: 123, Message: []byte("m")}
	p := at(id(1), 3, 2)
	p.Dead = []DeadLetter{letter, letter}
	do(t, s, Tx{Progress: []Progress{p}})
	do(t, s, Tx{Progress: []Progress{{Sender: id(7), Channel: "b", Dead: []DeadLetter{letter}}}})
	s = reopen()
	all, err := s.DeadLetters(DeadLetterQuery{Limit: 10})
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	letter.ID, letter.Size, letter.Message = all[0].ID, 1, nil
	if !reflect.DeepEqual(all[0], letter) {
		t.Fatalf("%+v", all[0])
	}
	do(t, s, Tx{Unbury: []int64{all[2].ID, 999}})
	do(t, s, Tx{Progress: []Progress{{Sender: id(7), Channel: "b", Dead: []DeadLetter{letter}}}})
	if rest, err := s.DeadLetters(DeadLetterQuery{Limit: 1, After: all[0].ID}); err != nil || len(rest) != 1 || rest[0].ID != all[1].ID {
		t.Fatal(rest, err)
	}
	if rest, err := s.DeadLetters(DeadLetterQuery{Limit: 9, After: all[1].ID}); err != nil || len(rest) != 1 || rest[0].ID == all[2].ID {
		t.Fatal("an id was given twice", rest, err)
	}
}

func TestJoins(t *testing.T) {
	s, reopen := newStore(t)
	do(t, s, Tx{Joins: []Join{{"a", 1, 3, true, false}, {"a", 1, 1, true, true}, {"b", 1, 2, false, false}}})
	if got := reopen().Joins(); len(got) != 2 || got[0].Channel == "a" && got[0] != (Join{"a", 1, 1, true, true}) {
		t.Fatal(got)
	}
}

func set(ns, key, value string) StateChange {
	return StateChange{Namespace: ns, Key: []byte(key), Value: []byte(value)}
}

func TestState(t *testing.T) {
	s, reopen := newStore(t)
	do(t, s, Tx{State: []StateChange{set("p", "k1", "old"), set("p", "k2", "two"), set("q", "k1", "q"), set("p", "k1", "one")}})
	do(t, s, Tx{State: []StateChange{set("p", "k3", "gone"), {Namespace: "p", Key: []byte("k3")}, set("p", "", ""), {Namespace: "p", Key: []byte("nothing")}, set("p", "other", "o")}})
	s = reopen()
	for key, want := range map[string]string{"k1": "one", "k2": "two", "": "", "other": "o"} {
		if v, ok, err := s.Get("p", []byte(key)); string(v) != want || v == nil || !ok || err != nil {
			t.Fatal(key, v, ok, err)
		}
	}
	if v, ok, err := s.Get("p", []byte("k3")); v != nil || ok || err != nil {
		t.Fatal(v, ok, err)
	}
	if v, ok, err := s.Get("p", nil); !ok || err != nil { // no key is the empty key
		t.Fatal(v, ok, err)
	}
	var keys []string
	after := []byte(nil)
	for {
		p, ok, err := s.Next("p", after)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		keys = append(keys, string(p.Key)+"="+string(p.Value))
		after = p.Key
	}
	if want := []string{"=", "k1=one", "k2=two", "other=o"}; !reflect.DeepEqual(keys, want) {
		t.Fatal(keys)
	}
	list := func(prefix, after string, limit int) (keys []string) {
		var from []byte
		if after != "" {
			from = []byte(after)
		}
		pairs, err := s.List("p", []byte(prefix), from, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pairs {
			keys = append(keys, string(p.Key))
		}
		return keys
	}
	for _, c := range []struct {
		got, want []string
	}{
		{list("k", "", 9), []string{"k1", "k2"}},
		{list("k", "", 1), []string{"k1"}},
		{list("k", "k1", 9), []string{"k2"}},
		{list("k", "a", 9), []string{"k1", "k2"}},
		{list("k", "z", 9), nil},
		{list("", "", 9), []string{"", "k1", "k2", "other"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Fatal(c.got, c.want)
		}
	}
}
