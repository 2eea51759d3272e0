package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// read lists what a journal holds.
func read(t *testing.T, ch *rmds.Channel, r rmds.JournalRange) (list []string) {
	t.Helper()
	if err := ch.Journal(r, func(m *rmds.Message) bool {
		if err := m.Ack(); !errors.Is(err, rmds.ErrStale) {
			t.Errorf("ack of what is only looked at: %v", err)
		}
		list = append(list, string(m.Data))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestJournalHoldsWhatWasReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		network.SetFaults(enginetest.Faults{Drop: 0.05, Duplicate: 0.1, Reorder: 0.1, MaxDelay: 20 * time.Millisecond})
		alice := network.Connect(t, "alice").Join("work", rmds.WriteOnly)
		var bob *rmds.Connection
		var work *rmds.Channel
		attach := func() {
			bob = network.Connect(t, "bob")
			var err error
			if work, err = bob.JoinChannel("work", rmds.ReadOnly, rmds.Journal(6*time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := work.Handle(func(_ context.Context, m *rmds.Message) rmds.Result {
				time.Sleep(10 * time.Millisecond)
				if strings.HasSuffix(string(m.Data), "3") {
					return rmds.Result{Verdict: rmds.Dead}
				}
				return rmds.Result{}
			}); err != nil {
				t.Fatal(err)
			}
		}
		attach()
		time.Sleep(time.Minute)
		var want []string
		batch := make([]rmds.Outgoing, 0, 50)
		for i := range 50 {
			want = append(want, fmt.Sprint("message ", i))
			batch = append(batch, rmds.Outgoing{Data: []byte(want[i])})
		}
		if err := alice.SendBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i := range 8 { // batches come again from where bob's place is
			time.Sleep(70 * time.Millisecond)
			if i%2 == 0 {
				network.Kill("bob")
			} else {
				network.PowerCut("bob")
			}
			attach()
			time.Sleep(2 * time.Second * time.Duration(i%3))
		}
		time.Sleep(time.Hour)
		same(t, "all", read(t, work, rmds.JournalRange{}), want)
		same(t, "the last", read(t, work, rmds.JournalRange{Last: 3}), want[47:])
		later := time.Now()
		sendAll(t, alice, []string{"more", "and more"})
		time.Sleep(time.Second)
		same(t, "since", read(t, work, rmds.JournalRange{Since: later}), []string{"more", "and more"})
		same(t, "since, the last", read(t, work, rmds.JournalRange{Since: later, Last: 1}), []string{"and more"})
		same(t, "of the future", read(t, work, rmds.JournalRange{Since: later.Add(time.Hour)}), nil)
		var id string
		if err := work.Journal(rmds.JournalRange{}, func(m *rmds.Message) bool { id = m.ID; return string(m.Data) != "message 47" }); err != nil {
			t.Fatal(err)
		}
		same(t, "after one", read(t, work, rmds.JournalRange{After: id}), []string{"message 48", "message 49", "more", "and more"})
		if err := work.Journal(rmds.JournalRange{After: "nonsense"}, nil); !errors.Is(err, rmds.ErrNoMessage) {
			t.Errorf("after nonsense: %v", err)
		}
		time.Sleep(4 * time.Hour)
		if got := read(t, work, rmds.JournalRange{Last: 1}); len(got) != 1 {
			t.Errorf("gone too early: %v", got)
		}
		time.Sleep(4 * time.Hour)
		same(t, "too old", read(t, work, rmds.JournalRange{}), nil)
	})
}

func TestJournalLeavesOutWhatIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		alice := network.Connect(t, "alice")
		work := alice.Join("work", rmds.WriteOnly)
		bob := network.Connect(t, "bob")
		keep, err := bob.JoinChannel("work", rmds.ReadOnly, rmds.Journal(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		batch := []rmds.Outgoing{{Data: []byte("one")}, {Data: []byte("short"), TTL: time.Second}, {Data: []byte("two")}}
		if err := work.SendBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := alice.Mgmt.PurgeQueue(rmds.Self); err != nil {
			t.Fatal(err)
		}
		sendAll(t, work, []string{"three"})
		if err := keep.AckUnhandled(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		same(t, "behind a purge", read(t, keep, rmds.JournalRange{}), []string{"three"})
		other, err := bob.JoinChannel("other", rmds.ReadOnly)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Journal(rmds.JournalRange{}, nil); !errors.Is(err, rmds.ErrNoJournal) {
			t.Errorf("without the option: %v", err)
		}
		if _, err := bob.JoinChannel("out", rmds.WriteOnly, rmds.Journal(time.Hour)); !errors.Is(err, rmds.ErrConfig) {
			t.Errorf("for what is only written: %v", err)
		}
	})
}
