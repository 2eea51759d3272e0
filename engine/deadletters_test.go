package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// clinic is a reader that gives up on messages that begin with "bad" until it is cured. What it handles adds one byte to the message's
// state and emits one message, so that both show how often that was.
type clinic struct {
	cured atomic.Bool
	calls atomic.Int64
	order []string
}

func (c *clinic) handle(_ context.Context, m *rmds.Message) rmds.Result {
	c.calls.Add(1)
	if strings.HasPrefix(string(m.Data), "bad") && !c.cured.Load() {
		return rmds.Result{Verdict: rmds.Dead, Reason: "reason for " + string(m.Data)}
	}
	c.order = append(c.order, string(m.Data)) // the handler runs one message at a time
	return rmds.Result{Effects: rmds.Effects{
		State: []rmds.StateChange{{Namespace: "seen", Key: m.Data, Value: []byte(fmt.Sprint(m.Attempt))}},
		Emits: []rmds.Emit{{Channel: "done", Data: m.Data}},
	}}
}

// attach makes bob a reader of work that emits on done.
func (c *clinic) attach(t *testing.T, bob *rmds.Connection) {
	t.Helper()
	if _, err := bob.JoinChannel("done", rmds.WriteOnly); err != nil {
		t.Fatal(err)
	}
	if err := bob.Join("work", rmds.ReadOnly).Handle(c.handle); err != nil {
		t.Fatal(err)
	}
}

func ids(t *testing.T, c *rmds.Connection, f rmds.DeadLetterFilter) (list []int64) {
	t.Helper()
	letters, err := c.DeadLetters(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		list = append(list, l.ID)
	}
	return list
}

// counts are the accounts of both ends: what alice counts for bob on the channel work, and what bob has of alice.
func counts(t *testing.T, alice, bob *rmds.Connection) string {
	t.Helper()
	var s string
	for _, a := range alice.Accounts() {
		if !a.Balanced() {
			t.Errorf("account %+v does not balance", a)
		}
		if a.Channel == "work" {
			s += fmt.Sprintf("%d+%d of %d; ", a.Handled, a.Dead, a.Accepted)
		}
	}
	for _, i := range bob.Inbound() {
		s += fmt.Sprintf("%d+%d; ", i.Handled, i.Dead)
	}
	return s
}

func expectCounts(t *testing.T, alice, bob *rmds.Connection, want string) {
	t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	if got := counts(t, alice, bob); got != want {
		t.Errorf("counts %q, want %q", got, want)
	}
}

func TestRedriveOneSomeAndAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob, alice, c := network.Connect(t, "bob"), network.Connect(t, "alice"), &clinic{}
		c.attach(t, bob)
		work := alice.Join("work", rmds.WriteOnly)
		if _, err := work.Send(t.Context(), rmds.Outgoing{Data: []byte("bad 0"), TTL: time.Minute, Headers: []rmds.Header{{Name: "h", Value: "v"}}}); err != nil {
			t.Fatal(err)
		}
		sendAll(t, work, []string{"good", "bad 1", "bad 2", "bad 3"})
		time.Sleep(time.Hour) // a dead letter does not expire
		expectCounts(t, alice, bob, "1+4 of 5; 1+4; ")
		l, err := bob.DeadLetter(1)
		if err != nil || l.Channel != "work" || l.Sender != "alice" || l.Reason != "reason for bad 0" || l.Attempts != 1 || l.Size == 0 ||
			l.Message == nil || string(l.Message.Data) != "bad 0" || l.Message.Headers[0].Value != "v" || l.Message.ID != l.MessageID {
			t.Fatalf("%+v, %v", l, err)
		}
		if err := l.Message.Ack(); !errors.Is(err, rmds.ErrStale) {
			t.Errorf("ack of a dead letter that is only looked at: %v", err)
		}
		if got := fmt.Sprint(ids(t, bob, rmds.DeadLetterFilter{Limit: 3}), ids(t, bob, rmds.DeadLetterFilter{After: 3, Sender: "alice", Channel: "work"}), ids(t, bob, rmds.DeadLetterFilter{Sender: "x"})); got != "[1 2 3] [4] []" {
			t.Errorf("lists %s", got)
		}

		if err := bob.Redrive(t.Context(), 1); !errors.Is(err, rmds.ErrStillDead) || !strings.Contains(err.Error(), "reason for bad 0") {
			t.Errorf("redrive in vain: %v", err)
		}
		if l, err := bob.DeadLetter(1); err != nil || l.Attempts != 2 {
			t.Errorf("after a redrive in vain: %+v, %v", l, err)
		}
		expectCounts(t, alice, bob, "1+4 of 5; 1+4; ")
		c.cured.Store(true)
		if err := bob.Redrive(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		expectCounts(t, alice, bob, "2+3 of 5; 2+3; ")
		for _, id := range []int64{1, 77} {
			if err := bob.Redrive(t.Context(), id); !errors.Is(err, rmds.ErrNoDeadLetter) {
				t.Errorf("redrive of %d, which is not there: %v", id, err)
			}
		}
		if err := bob.DropDeadLetter(2); err != nil {
			t.Fatal(err)
		}
		if err := bob.DropDeadLetter(2); !errors.Is(err, rmds.ErrNoDeadLetter) {
			t.Errorf("drop twice: %v", err)
		}
		if record, err := bob.Mgmt.Audit(); err != nil || len(record) != 1 || record[0].Action != "drop the dead letters [2]" || record[0].By != "bob" {
			t.Errorf("the audit record is %+v, %v", record, err)
		}
		r, err := bob.RedriveDeadLetters(t.Context(), rmds.DeadLetterFilter{Limit: 1})
		if err != nil || r.Handled != 1 || len(r.Failed) != 0 || r.Next != 3 || r.Through != 4 {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err = bob.RedriveDeadLetters(t.Context(), rmds.DeadLetterFilter{After: r.Next, Through: r.Through, Limit: 2}); err != nil || r.Handled != 1 || r.Next != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		expectCounts(t, alice, bob, "4+1 of 5; 4+1; ")
		if got, want := fmt.Sprint(c.order), "[good bad 0 bad 2 bad 3]"; got != want {
			t.Errorf("handled %s, want %s", got, want)
		}
		if v, _, err := bob.State().Get("seen", []byte("bad 0")); err != nil || string(v) != "3" {
			t.Errorf("the effect of bad 0 is of attempt %s, %v", v, err)
		}
	})
}

func TestRedriveWithoutAConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob, alice, c := network.Connect(t, "bob"), network.Connect(t, "alice"), &clinic{}
		c.attach(t, bob)
		work := alice.Join("work", rmds.WriteOnly)
		time.Sleep(time.Minute) // until nothing is kept for readers unknown, such as the next join is
		sendAll(t, work, []string{"good", "bad 1"})
		expectCounts(t, alice, bob, "1+1 of 2; 1+1; ")
		c.cured.Store(true)
		network.Kill("bob")
		bob = network.Connect(t, "bob")
		if err := bob.Redrive(t.Context(), 1); !errors.Is(err, rmds.ErrNoConsumer) {
			t.Errorf("redrive on a channel not joined: %v", err)
		}
		r, err := bob.RedriveDeadLetters(t.Context(), rmds.DeadLetterFilter{})
		if err != nil || r.Handled != 0 || len(r.Failed) != 1 || !errors.Is(r.Failed[0].Err, rmds.ErrNoConsumer) {
			t.Errorf("%+v, %v", r, err)
		}
		// A kick ends the join that the letter died for; the next join's consumer may handle it, and it counts where it died.
		if err := alice.Mgmt.Kick("bob"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c.attach(t, bob)
		if err := bob.Redrive(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, bob, rmds.DeadLetterFilter{}); got != nil {
			t.Errorf("letters %v", got)
		}
		for _, i := range bob.Inbound() {
			if i.Join == 1 && i.Handled != 2 || i.Join != 1 && i.Handled != 0 || i.Dead != 0 {
				t.Errorf("%+v", i)
			}
		}
		counts(t, alice, bob) // of a join that has ended the sender hears no more; it balances as it is
	})
}

// What the sender counts follows even when it was away at the redrive, and its lane here with it.
func TestRedriveWhileTheSenderIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		bob, alice, c := network.Connect(t, "bob"), network.Connect(t, "alice"), &clinic{}
		c.attach(t, bob)
		sendAll(t, alice.Join("work", rmds.WriteOnly), []string{"good", "bad 1", "bad 2", "bad 3"})
		expectCounts(t, alice, bob, "1+3 of 4; 1+3; ")
		c.cured.Store(true)
		network.Kill("alice")
		if err := bob.Redrive(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		network.PowerCut("bob")
		bob = network.Connect(t, "bob")
		c.attach(t, bob)
		if err := bob.Redrive(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		alice = network.Connect(t, "alice")
		work := alice.Join("work", rmds.WriteOnly)
		expectCounts(t, alice, bob, "3+1 of 4; 3+1; ")
		sendAll(t, work, []string{"more"})
		if err := bob.Redrive(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		expectCounts(t, alice, bob, "5+0 of 5; 5+0; ")
	})
}

func TestRedriveDuringTrafficByTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := enginetest.NewNetwork(t)
		network.SetFaults(enginetest.Faults{Drop: 0.02, Duplicate: 0.05, Reorder: 0.05, MaxDelay: 20 * time.Millisecond})
		bob, alice, c := network.Connect(t, "bob"), network.Connect(t, "alice"), &clinic{}
		c.attach(t, bob)
		var done collector
		if err := alice.Join("done", rmds.ReadOnly).OnMessage(done.handle); err != nil {
			t.Fatal(err)
		}
		work := alice.Join("work", rmds.WriteOnly)
		time.Sleep(time.Minute)
		for i := range 40 {
			sendAll(t, work, []string{fmt.Sprintf("bad %02d", i), fmt.Sprintf("early %02d", i)})
		}
		time.Sleep(time.Minute)
		c.cured.Store(true)
		var tasks sync.WaitGroup
		tasks.Go(func() {
			for i := range 60 {
				sendAll(t, work, []string{fmt.Sprintf("late %02d", i)})
				time.Sleep(time.Millisecond)
			}
		})
		var handled, failed atomic.Int64
		for range 2 {
			tasks.Go(func() {
				r, err := bob.RedriveDeadLetters(t.Context(), rmds.DeadLetterFilter{})
				if err != nil {
					t.Error(err)
				}
				handled.Add(int64(r.Handled))
				for _, f := range r.Failed {
					failed.Add(1)
					if !errors.Is(f.Err, rmds.ErrDeadLetterBusy) {
						t.Error(f.Err)
					}
				}
			})
		}
		tasks.Wait()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if handled.Load() != 40 || failed.Load() > 40 {
			t.Errorf("%d handled by redriving, want 40; %d were in the other's hands", handled.Load(), failed.Load())
		}
		if got, want := counts(t, alice, bob), "140+0 of 140; 140+0; "; got != want {
			t.Errorf("counts %q, want %q", got, want)
		}
		once := map[string]int{}
		last := ""
		for _, text := range done.list() {
			once[text]++
			if strings.HasPrefix(text, "late") {
				if text <= last {
					t.Errorf("%s after %s", text, last)
				}
				last = text
			}
		}
		for text, n := range once {
			if n != 1 {
				t.Errorf("%s had its effects %d times", text, n)
			}
		}
		if len(once) != 140 {
			t.Errorf("%d messages had effects, want 140", len(once))
		}
	})
}

// TestCrashesDuringRedrives ends bob at moments all over a redrive. Whenever he is up, each message is either a dead letter without
// effects or handled with them, and both are counted so.
func TestCrashesDuringRedrives(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) { crashesDuringRedrives(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func crashesDuringRedrives(t *testing.T, draw *rand.Rand) {
	const bad = 6
	network := enginetest.NewNetwork(t)
	bob, alice, c := network.Connect(t, "bob"), network.Connect(t, "alice"), &clinic{}
	c.attach(t, bob)
	var done collector
	if err := alice.Join("done", rmds.ReadOnly).OnMessage(done.handle); err != nil {
		t.Fatal(err)
	}
	work := alice.Join("work", rmds.WriteOnly)
	time.Sleep(time.Minute)
	for i := range bad {
		sendAll(t, work, []string{fmt.Sprintf("bad %d", i)})
	}
	time.Sleep(time.Minute)
	c.cured.Store(true)
	crashed := false
	for round := 0; len(ids(t, bob, rmds.DeadLetterFilter{})) > 0; round++ {
		var tasks sync.WaitGroup
		tasks.Go(func() {
			r, err := bob.RedriveDeadLetters(t.Context(), rmds.DeadLetterFilter{})
			if round >= 20 && err != nil {
				t.Error(err)
			}
			for _, f := range r.Failed {
				if round >= 20 || errors.Is(f.Err, rmds.ErrStillDead) { // else it may have been cut off by the crash
					t.Error(f)
				}
			}
		})
		if round < 20 {
			for range draw.IntN(60) {
				runtime.Gosched()
			}
			if draw.IntN(2) == 0 {
				network.Kill("bob")
			} else {
				network.PowerCut("bob")
			}
			crashed = true
		}
		tasks.Wait()
		if round < 20 {
			bob = network.Connect(t, "bob")
			if round%2 == 0 {
				c.attach(t, bob)
			}
		}
		check(t, bob, bad)
		if round%2 == 1 && bob.Channel("work") == nil {
			c.attach(t, bob)
		}
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	if got, want := counts(t, alice, bob), fmt.Sprintf("%d+0 of %d; %d+0; ", bad, bad, bad); got != want || !crashed {
		t.Errorf("counts %q, want %q", got, want)
	}
	if got := done.list(); len(got) != bad {
		t.Errorf("emitted %v", got)
	}
}

// check compares what is dead and what has effects, of so many messages.
func check(t *testing.T, bob *rmds.Connection, bad int) {
	t.Helper()
	letters, err := bob.DeadLetters(rmds.DeadLetterFilter{})
	if err != nil {
		t.Fatal(err)
	}
	dead := map[string]bool{}
	for _, l := range letters {
		full, err := bob.DeadLetter(l.ID)
		if err != nil {
			t.Fatal(err)
		}
		dead[string(full.Message.Data)] = true
	}
	for i := range bad {
		text := fmt.Sprintf("bad %d", i)
		if _, handled, err := bob.State().Get("seen", []byte(text)); err != nil || handled == dead[text] {
			t.Errorf("%s: handled %v, dead %v, %v", text, handled, dead[text], err)
		}
	}
	if in := bob.Inbound(); len(in) != 1 || in[0].Dead != uint64(len(letters)) || in[0].Handled != uint64(bad-len(letters)) {
		t.Errorf("%d letters of %d, counted as %+v", len(letters), bad, in)
	}
}
