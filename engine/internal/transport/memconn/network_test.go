package memconn

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/getevo/rmds-router/engine/internal/transport"
)

// log is a handler that keeps what it gets, and when.
type log struct {
	mu      sync.Mutex
	entries []string
	at      []time.Duration // since begun
	begun   time.Time
}

func (l *log) Receive(_ string, data []byte) { l.add(string(data)) }

func (l *log) Event(e transport.Event) {
	if e.Kind == transport.Overrun {
		l.add(fmt.Sprintf("overrun %s %d", e.Subject, e.Count))
		return
	}
	l.add(e.Kind.String())
}

func (l *log) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, s)
	l.at = append(l.at, time.Since(l.begun))
}

// messages returns the entries after "connected".
func (l *log) messages() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries[1:])
}

// pair connects two nodes, the second of which hears the first on "x", and runs f in a bubble.
func pair(t *testing.T, seed uint64, f func(n *Network, a, b transport.Conn, got *log)) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(seed)
		a, b := n.Dial("a"), n.Dial("b")
		got := &log{begun: time.Now()}
		for c, h := range map[transport.Conn]transport.Handler{a: &log{}, b: got} {
			if err := c.Start(h); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		if err := b.Subscribe("x"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(n, a, b, got)
	})
}

func publish(t *testing.T, c transport.Conn, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := c.Publish("x", fmt.Appendf(nil, "%03d", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDelayKeepsOrder(t *testing.T) {
	pair(t, 1, func(n *Network, a, _ transport.Conn, got *log) {
		n.SetFaults(Faults{MinDelay: time.Millisecond, MaxDelay: time.Second})
		publish(t, a, 0, 100)
		synctest.Wait()
		if len(got.messages()) != 0 {
			t.Fatal("came without delay")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(got.messages()) != 100 || !slices.IsSorted(got.messages()) {
			t.Errorf("%q", got.messages())
		}
		if got.at[1] < time.Millisecond || got.at[1] == got.at[100] {
			t.Errorf("delays from %v to %v", got.at[1], got.at[100])
		}
	})
}

// Each fault alone, always and never and sometimes.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		faults Faults
		check  func(t *testing.T, n Counts, got []string)
	}{
		"none": {Faults{}, func(t *testing.T, _ Counts, got []string) {
			if len(got) != 200 || !slices.IsSorted(got) {
				t.Errorf("%q", got)
			}
		}},
		"drop": {Faults{Drop: 0.5}, func(t *testing.T, n Counts, got []string) {
			if len(got) < 50 || len(got) > 150 || n.Dropped != uint64(200-len(got)) {
				t.Errorf("%d came, %+v", len(got), n)
			}
		}},
		"duplicate": {Faults{Duplicate: 0.5}, func(t *testing.T, n Counts, got []string) {
			if len(got) < 250 || n.Duplicated != uint64(len(got)-200) || len(slices.Compact(got)) != 200 {
				t.Errorf("%d came, %+v", len(got), n)
			}
		}},
		"reorder": {Faults{Reorder: 0.2, ReorderBy: 50 * time.Millisecond, MinDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond}, func(t *testing.T, n Counts, got []string) {
			if slices.IsSorted(got) || n.Reordered == 0 {
				t.Errorf("in order, %+v", n)
			}
			if slices.Sort(got); len(slices.Compact(got)) != 200 {
				t.Error("some are missing")
			}
		}},
		"truncate": {Faults{Truncate: 1}, func(t *testing.T, n Counts, got []string) {
			for i, s := range got {
				if len(s) >= 3 || fmt.Sprintf("%03d", i)[:len(s)] != s {
					t.Errorf("%q", s)
				}
			}
			if n.Truncated != 200 {
				t.Errorf("%+v", n)
			}
		}},
		"corrupt": {Faults{Corrupt: 1}, func(t *testing.T, n Counts, got []string) {
			same := 0
			for i, s := range got {
				if len(s) != 3 {
					t.Errorf("%q", s)
				}
				if s == fmt.Sprintf("%03d", i) {
					same++
				}
			}
			if same > 20 || n.Corrupted != 200 {
				t.Errorf("%d intact, %+v", same, n)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			pair(t, 7, func(n *Network, a, _ transport.Conn, got *log) {
				n.SetFaults(c.faults)
				publish(t, a, 0, 200)
				time.Sleep(time.Minute)
				synctest.Wait()
				c.check(t, n.Counts(), got.messages())
			})
		})
	}
}

func TestStall(t *testing.T) {
	pair(t, 1, func(n *Network, a, _ transport.Conn, got *log) {
		n.SetFaults(Faults{Stall: 1, StallFor: time.Second})
		publish(t, a, 0, 1)
		n.SetFaults(Faults{})
		publish(t, a, 1, 3)
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{"000", "001", "002"}; !slices.Equal(got.messages(), want) || got.at[1] != time.Second {
			t.Errorf("%q at %v", got.messages(), got.at)
		}
	})
}

// The same seed and messages give the same faults; another seed gives others.
func TestSeed(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := Faults{
			Drop: rapid.Float64Range(0, 0.5).Draw(r, "drop"), Duplicate: rapid.Float64Range(0, 0.5).Draw(r, "duplicate"),
			Reorder: rapid.Float64Range(0, 0.5).Draw(r, "reorder"), ReorderBy: time.Second,
			Truncate: rapid.Float64Range(0, 0.5).Draw(r, "truncate"), Corrupt: rapid.Float64Range(0, 0.5).Draw(r, "corrupt"),
			Stall: rapid.Float64Range(0, 0.2).Draw(r, "stall"), StallFor: time.Second, MaxDelay: time.Second,
		}
		seed := rapid.Uint64().Draw(r, "seed")
		play := func(seed uint64) (entries []string) {
			pair(t, seed, func(n *Network, a, _ transport.Conn, got *log) {
				n.SetFaults(f)
				publish(t, a, 0, 40)
				time.Sleep(time.Hour)
				synctest.Wait()
				for i := range got.entries {
					entries = append(entries, fmt.Sprint(got.at[i], got.entries[i]))
				}
			})
			return entries
		}
		once := play(seed)
		if again := play(seed); !slices.Equal(once, again) {
			r.Fatalf("%q, then %q", once, again)
		}
		if slices.Equal(once, play(seed+1)) {
			r.Fatal("the seed changes nothing")
		}
	})
}

func TestPartition(t *testing.T) {
	pair(t, 1, func(n *Network, a, b transport.Conn, got *log) {
		n.Partition("b", "a")
		publish(t, a, 0, 1)
		n.Partition("a", "c")
		n.Heal("a", "b")
		publish(t, a, 1, 2)
		synctest.Wait()
		if want := []string{"001"}; !slices.Equal(got.messages(), want) || !a.Connected() || !b.Connected() {
			t.Errorf("%q", got.messages())
		}
	})
}

func TestOneWayPartition(t *testing.T) {
	pair(t, 1, func(n *Network, a, b transport.Conn, got *log) {
		n.PartitionOneWay("b", "a")
		publish(t, a, 0, 1)
		n.PartitionOneWay("a", "b")
		publish(t, a, 1, 2)
		synctest.Wait()
		if want := []string{"000"}; !slices.Equal(got.messages(), want) {
			t.Errorf("%q", got.messages())
		}
	})
}

func TestRate(t *testing.T) {
	pair(t, 1, func(n *Network, a, _ transport.Conn, got *log) {
		n.SetFaults(Faults{Rate: 3})
		publish(t, a, 0, 4)
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if want := []string{"000", "001"}; !slices.Equal(got.messages(), want) {
			t.Errorf("%q after two and a half seconds", got.messages())
		}
	})
}

// A frozen node gets everything late, and nothing is lost.
func TestFreeze(t *testing.T) {
	for _, name := range []string{"a", "b"} {
		pair(t, 1, func(n *Network, a, b transport.Conn, got *log) {
			n.Freeze(name, time.Minute)
			publish(t, a, 0, 2)
			time.Sleep(time.Minute - time.Second)
			synctest.Wait()
			if len(got.messages()) > 0 || !a.Connected() || !b.Connected() {
				t.Errorf("%s frozen: %q", name, got.messages())
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if want := []string{"000", "001"}; !slices.Equal(got.messages(), want) {
				t.Errorf("%s thawed: %q", name, got.messages())
			}
		})
	}
}

// What is under way to or from a node that is disconnected vanishes, even if it is back before the time of arrival.
func TestDisconnect(t *testing.T) {
	for name, c := range map[string]struct {
		cut, mend func(*Network)
		log       []string
	}{
		"sender":   {func(n *Network) { n.Disconnect("a") }, func(n *Network) { n.Reconnect("a") }, []string{"connected", "001"}},
		"receiver": {func(n *Network) { n.Disconnect("b") }, func(n *Network) { n.Reconnect("b") }, []string{"connected", "disconnected", "connected", "001"}},
		"network":  {(*Network).Down, (*Network).Up, []string{"connected", "disconnected", "connected", "001"}},
		"twice":    {func(n *Network) { n.Down(); n.Disconnect("b") }, func(n *Network) { n.Up(); n.Down(); n.Reconnect("b"); n.Up() }, []string{"connected", "disconnected", "connected", "001"}},
	} {
		t.Run(name, func(t *testing.T) {
			pair(t, 1, func(n *Network, a, _ transport.Conn, got *log) {
				n.SetFaults(Faults{MinDelay: time.Second, MaxDelay: time.Second})
				publish(t, a, 0, 1)
				c.cut(n)
				c.mend(n)
				publish(t, a, 1, 2)
				time.Sleep(time.Minute)
				synctest.Wait()
				if !slices.Equal(got.entries, c.log) || n.Counts().Vanished != 1 {
					t.Errorf("%q, %+v", got.entries, n.Counts())
				}
			})
		})
	}
}

// A node that starts anew under its name gets nothing that was under way to the one before.
func TestRestartedNode(t *testing.T) {
	pair(t, 1, func(n *Network, a, b transport.Conn, got *log) {
		n.SetFaults(Faults{MinDelay: time.Second, MaxDelay: time.Second})
		publish(t, a, 0, 1)
		b.Close()
		again, h := n.Dial("b"), &log{}
		if err := again.Start(h); err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		_ = again.Subscribe("x")
		publish(t, a, 1, 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []string{"connected", "closed"}; !slices.Equal(got.entries, want) {
			t.Errorf("the old one got %q", got.entries)
		}
		if want := []string{"connected", "001"}; !slices.Equal(h.entries, want) {
			t.Errorf("the new one got %q", h.entries)
		}
	})
}

// The end of a bubble with a connection closed while messages are under way: nothing may be left running.
func TestCloseUnderWay(t *testing.T) {
	pair(t, 1, func(n *Network, a, _ transport.Conn, _ *log) {
		n.SetFaults(Faults{MinDelay: time.Hour, MaxDelay: time.Hour})
		publish(t, a, 0, 10)
	})
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "a.b", false}, {"a.b", "a", false}, {"*", "a", true}, {"*", "", false}, {"*", "a.b", false},
		{"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {"a.*", "a.", false}, {">", "a", true}, {">", "a.b", true}, {">", "", false},
		{"a.>", "a.b.c", true}, {"a.>", "a", false}, {"a.>", "b.c", false}, {"a.>", "a.", false}, {"*.>", "a.b", true}, {"a>", "ab", false},
	} {
		if got := match(c.pattern, c.subject); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.subject, got)
		}
	}
}

// TestBandwidth: messages of a link come one behind the other, as slowly as it moves them; another link is free.
func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		n.SetFaults(Faults{Bandwidth: 1000})
		a, b := n.Dial("a"), n.Dial("b")
		start := time.Now()
		var arrived []time.Duration
		for _, c := range []transport.Conn{a, b} {
			if err := c.Start(arrivals(func() { arrived = append(arrived, time.Since(start)) })); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		synctest.Wait()
		if err := b.Subscribe("x"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := a.Publish("x", make([]byte, 500)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond}; !slices.Equal(arrived, want) {
			t.Errorf("messages came after %v, want %v", arrived, want)
		}
	})
}

// arrivals is a handler that only counts messages.
type arrivals func()

func (f arrivals) Receive(string, []byte) { f() }
func (arrivals) Event(transport.Event)    {}
