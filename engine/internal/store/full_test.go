package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
)

// fillUp sends until there is no room.
func fillUp(t testing.TB, s *Store) {
	t.Helper()
	for range 10_000 {
		err := s.Do(&Tx{Segments: []Segment{{Channel: "a", Count: 1, Body: make([]byte, 60_000)}}})
		if errors.Is(err, ErrFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("there is always room")
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := crashvfs.New(1)
		defer d.Close()
		s, err := Open(onDisk(d))
		if err != nil {
			t.Fatal(err)
		}
		change(t, s, add(id(1), "n", 1, StartHead))
		send(t, s, messages("a", 3))
		d.SetFull(true)
		fillUp(t, s)
		head, _ := s.Head("a")

		var mu sync.Mutex
		var order []string
		submit := func(name string, tx Tx) {
			tx.Done = func(err error) {
				mu.Lock()
				order = append(order, fmt.Sprint(name, " ", err))
				mu.Unlock()
			}
			s.Submit(&tx)
			synctest.Wait()
		}
		verdict := at(id(1), 5, 5)
		effects := []StateChange{{Namespace: "n", Key: []byte("k"), Value: make([]byte, 3_000_000)}}
		other := at(id(1), 4, 4)
		other.Sender = id(8)
		submit("effects", Tx{Must: true, Progress: []Progress{verdict}, State: effects})
		submit("send", Tx{Segments: []Segment{{Channel: "a", Count: 1, Body: make([]byte, 3_000_000)}}})
		submit("ack", Tx{Must: true, Readers: []ReaderChange{move(id(1), 1, 2, 2)}})
		submit("same sender", Tx{Must: true, Progress: []Progress{at(id(1), 6, 6)}})
		submit("other sender", Tx{Must: true, Progress: []Progress{other}})
		submit("leave", Tx{Readers: []ReaderChange{end(id(5), 1)}})
		submit("more effects", Tx{Must: true, State: effects})
		for i, outcome := range order {
			order[i], _, _ = strings.Cut(outcome, ": ")
		}
		want := []string{"send " + ErrFull.Error(), "ack <nil>", "other sender <nil>", "leave <nil>"}
		if !reflect.DeepEqual(order, want) {
			t.Fatalf("%q", order)
		}
		if h, _ := s.Head("a"); h != head {
			t.Fatal(h, head)
		}
		if p := s.Positions(id(7)); len(p) != 0 {
			t.Fatal("a position passed the effects before it", p)
		}
		d.SetFull(false)
		time.Sleep(2 * retryLast) // nothing is submitted: the writer tries by itself
		synctest.Wait()
		if got := order[len(want):]; !reflect.DeepEqual(got, []string{"effects <nil>", "same sender <nil>", "more effects <nil>"}) {
			t.Fatalf("%q", got)
		}
		if p := s.Positions(id(7)); p[0].Seq != 6 {
			t.Fatal(p)
		}
		send(t, s, messages("a", 1))
		account(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseOnAFullDisk(t *testing.T) {
	d := crashvfs.New(1)
	defer d.Close()
	s := mustOpen(t, onDisk(d))
	send(t, s, messages("a", 3))
	d.SetFull(true)
	outcome := make(chan error, 1)
	s.Submit(&Tx{Must: true, State: []StateChange{{Namespace: "n", Value: make([]byte, 3_000_000)}}, Done: func(err error) { outcome <- err }})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	s = mustOpen(t, onDisk(d)) // and a full disk does not keep it from starting
	if h, _ := s.Head("a"); h.Last != 3 {
		t.Fatal(h)
	}
	d.SetFull(false)
	send(t, s, messages("a", 1))
	s.Abort()
	if s = mustOpen(t, onDisk(d)); s.WasClean() {
		t.Fatal("the first commit with room did not mark the store as open")
	}
}

func TestMaxSize(t *testing.T) {
	const limit = 100 * pageSize
	s := fileStore(t, func(o *Options) { o.MaxSize = limit })
	change(t, s, add(id(1), "n", 1, StartHead))
	fillUp(t, s)
	if u, err := s.Usage(); err != nil || u.Bytes > limit || u.Bytes < limit/2 || u.Tail == 0 {
		t.Fatal(u, err)
	}
	head, _ := s.Head("a")
	change(t, s, move(id(1), 1, head.Last, head.Last))
	for i := range 500 { // positions, more than fit into a page
		p := at(id(1), 4, 4)
		p.Sender = id(i)
		do(t, s, Tx{Must: true, Progress: []Progress{p}})
	}
	within(t, "what is delivered is pruned", func() bool { h, _ := s.Head("a"); return h.Floor == head.Last })
	send(t, s, Segment{Channel: "a", Count: 1, Body: make([]byte, 60_000)})
	if u, err := s.Usage(); err != nil || u.Free == 0 {
		t.Fatal(u, err)
	}
	if h, _ := s.Head("a"); h.Last != head.Last+1 || h.Floor != head.Last {
		t.Fatal(h)
	}
}
