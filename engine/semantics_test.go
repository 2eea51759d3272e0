package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	rmds "github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/engine/enginetest"
)

// pair is a writer and a reader of one channel on a network of their own, inside a bubble.
type pair struct {
	network    *enginetest.Network
	alice, bob *rmds.Connection
	out, in    *rmds.Channel
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{network: enginetest.NewNetwork(t)}
	p.alice, p.bob = p.network.Connect(t, "alice"), p.network.Connect(t, "bob")
	p.out, p.in = p.alice.Join("chat", rmds.WriteOnly), p.bob.Join("chat", rmds.ReadOnly)
	time.Sleep(time.Second)
	return p
}

func (p *pair) account(t *testing.T) rmds.Account {
	t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	list := p.alice.Accounts()
	if len(list) != 1 || !list[0].Balanced() {
		t.Fatalf("accounts %+v", list)
	}
	return list[0]
}

func TestTheFirstVerdictCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var order []string
		for _, x := range []struct {
			name    string
			verdict func(*rmds.Message) error
			want    error
		}{
			{"first", func(*rmds.Message) error { return nil }, nil},
			{"second", (*rmds.Message).Ack, nil},
			{"third", func(m *rmds.Message) error { return m.Reject("too late") }, rmds.ErrStale},
			{"fourth", func(m *rmds.Message) error { return m.Nack(0) }, rmds.ErrStale},
			{"fifth", (*rmds.Message).Ack, nil},
		} {
			if err := p.in.OnMessage(func(m *rmds.Message) {
				order = append(order, x.name)
				if err := x.verdict(m); !errors.Is(err, x.want) {
					t.Errorf("the %s verdict gave %v, want %v", x.name, err, x.want)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		sendAll(t, p.out, []string{"x"})
		if a := p.account(t); a.Handled != 1 || a.Dead != 0 {
			t.Errorf("account %+v", a)
		}
		if want := []string{"first", "second", "third", "fourth", "fifth"}; !slices.Equal(order, want) {
			t.Errorf("called %v, want %v", order, want)
		}
	})
}

// TestAckAfterTheHandlerReturned: from another goroutine, within ACKTimeout it counts and the next message waits for it; later it is stale.
func TestAckAfterTheHandlerReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		type event struct {
			what string
			at   time.Duration
		}
		var events []event
		start := time.Now()
		results := make(chan error, 4)
		if err := p.in.OnMessage(func(m *rmds.Message) {
			events = append(events, event{fmt.Sprintf("%s %d", m.Data, m.Attempt), time.Since(start).Round(time.Second)})
			delay := time.Second
			if string(m.Data) == "late" && m.Attempt == 1 {
				delay = 11 * time.Second // ACKTimeout is 10 s
			}
			time.AfterFunc(delay, func() { results <- m.Ack() })
		}); err != nil {
			t.Fatal(err)
		}
		sendAll(t, p.out, []string{"soon", "late", "after"})
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []event{{"soon 1", 0}, {"late 1", time.Second}, {"late 2", 16 * time.Second}, {"after 1", 17 * time.Second}} // DeliveryRetryInterval is 5 s
		if !slices.Equal(events, want) {
			t.Errorf("handled %v, want %v", events, want)
		}
		for i, want := range []error{nil, rmds.ErrStale, nil, nil} {
			if err := <-results; !errors.Is(err, want) {
				t.Errorf("ack %d gave %v, want %v", i+1, err, want)
			}
		}
		if a := p.account(t); a.Handled != 3 {
			t.Errorf("account %+v", a)
		}
	})
}

func TestNackWaitsAndRejectEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var times []time.Duration
		var reasons []string
		start := time.Now()
		if err := p.in.OnMessage(func(m *rmds.Message) {
			times = append(times, time.Since(start).Round(time.Second))
			reasons = append(reasons, m.LastError)
			switch m.Attempt {
			case 1:
				_ = m.Nack(7 * time.Second)
			case 2:
				_ = m.Nack(0) // DeliveryRetryInterval: 5 s
			default:
				_ = m.Reject("no use")
			}
		}); err != nil {
			t.Fatal(err)
		}
		sendAll(t, p.out, []string{"x"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []time.Duration{0, 7 * time.Second, 12 * time.Second}; !slices.Equal(times, want) {
			t.Errorf("attempts at %v, want %v", times, want)
		}
		if len(reasons) == 3 && (reasons[0] != "" || reasons[1] == "") {
			t.Errorf("the attempts were told %q of the one before", reasons)
		}
		if a := p.account(t); a.Dead != 1 || a.Handled != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

func TestATapNeverAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var verdicts []error
		stop := p.alice.Tap("chat", func(m *rmds.Message, _ uint64) { verdicts = append(verdicts, m.Ack(), m.Reject("no")) })
		defer p.bob.Tap("chat", func(m *rmds.Message, _ uint64) { _ = m.Ack() })()
		sendAll(t, p.out, []string{"x"})
		if a := p.account(t); a.Pending != 1 || a.Handled != 0 {
			t.Errorf("account %+v", a)
		}
		stop()
		if len(verdicts) != 2 || !errors.Is(verdicts[0], rmds.ErrStale) || !errors.Is(verdicts[1], rmds.ErrStale) {
			t.Errorf("verdicts of a tap gave %v", verdicts)
		}
	})
}

func TestASlowTapLosesAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		c := &collector{}
		if err := p.in.OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
		var seen, lost uint64
		stop := p.alice.Tap("chat", func(_ *rmds.Message, n uint64) {
			seen, lost = seen+1, lost+n
			if seen == 1 {
				time.Sleep(time.Hour)
			}
		})
		batch := make([]rmds.Outgoing, 3000)
		for i := range batch {
			batch[i].Data = []byte("x")
		}
		if err := p.out.SendBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		sendAll(t, p.out, []string{"x"})
		if a := p.account(t); a.Handled != 3001 {
			t.Errorf("account %+v", a)
		}
		stop()
		if lost == 0 || seen+lost != 3001 {
			t.Errorf("the tap saw %d and was told that it lost %d, of 3001", seen, lost)
		}
	})
}

func TestDrainGivesOnlineReadersWhatTheyCanTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.network.SetFaults(enginetest.Faults{MinDelay: 50 * time.Millisecond, MaxDelay: 100 * time.Millisecond})
		c := &collector{}
		if err := p.in.OnMessage(c.handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		sendAll(t, p.out, numbered(1, 500))
		if err := p.alice.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if got := len(c.list()); got != 500 {
			t.Errorf("when the sender was closed its reader had %d of 500 messages", got)
		}
		// A reader that is away is not waited for.
		if err := p.bob.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		alice := p.network.Connect(t, "alice")
		sendAll(t, alice.Join("chat", rmds.WriteOnly), numbered(501, 510))
		start := time.Now()
		if err := alice.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("with nobody there closing took %v", took)
		}
	})
}

// TestCloseWhileHandlersRun: one that returns in time is committed; one that does not is left behind, and its message comes again.
func TestCloseWhileHandlersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var mu sync.Mutex
		var seen []string
		takes := 3 * time.Second
		handle := func(m *rmds.Message) {
			mu.Lock()
			seen = append(seen, fmt.Sprintf("%s %d", m.Data, m.Attempt))
			d := takes
			mu.Unlock()
			time.Sleep(d)
			_ = m.Ack()
		}
		if err := p.in.OnMessage(handle); err != nil {
			t.Fatal(err)
		}
		sendAll(t, p.out, []string{"a", "b"})
		time.Sleep(time.Second)
		if err := p.bob.Unsubscribe(); err != nil { // DrainTimeout is 10 s
			t.Errorf("closing while a handler ran for 3 s: %v", err)
		}
		mu.Lock()
		takes = time.Hour
		mu.Unlock()
		bob := p.network.Connect(t, "bob")
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if err := bob.Close(ctx); !errors.Is(err, rmds.ErrHandler) {
			t.Errorf("closing while a handler ran for an hour: %v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("closing with a deadline of 2 s took %v", took)
		}
		time.Sleep(2 * time.Hour)
		mu.Lock()
		takes = 0
		mu.Unlock()
		bob = p.network.Connect(t, "bob")
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(handle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if want := []string{"a 1", "b 1", "b 1"}; !slices.Equal(seen, want) {
			t.Errorf("handled %v, want %v", seen, want)
		}
		if a := p.account(t); a.Handled != 2 || a.Pending != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

// TestCloseDoesNotWaitForVerdicts of handlers that returned without one.
func TestCloseDoesNotWaitForVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		held := make(chan *rmds.Message, 1)
		if err := p.in.OnMessage(func(m *rmds.Message) { held <- m }); err != nil {
			t.Fatal(err)
		}
		sendAll(t, p.out, []string{"x"})
		m := <-held
		start := time.Now()
		if err := p.bob.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("closing took %v", took)
		}
		if err := m.Ack(); !errors.Is(err, rmds.ErrStale) {
			t.Errorf("ack after closing: %v", err)
		}
		bob := p.network.Connect(t, "bob")
		if err := bob.Join("chat", rmds.ReadOnly).OnMessage(func(m *rmds.Message) { held <- m; _ = m.Ack() }); err != nil {
			t.Fatal(err)
		}
		if again := <-held; again.ID != m.ID || again.Attempt != 1 {
			t.Errorf("attempt %d of %s came, want the first of %s", again.Attempt, again.ID, m.ID)
		}
	})
}
