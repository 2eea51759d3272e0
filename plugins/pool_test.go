package plugins

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// newTestPool makes a pool whose instances have no guest.
func newTestPool(size int) (p *pool, built *int, fail *error) {
	built, fail = new(int), new(error)
	build := func(age uint64) (*instance, error) {
		if *fail != nil {
			return nil, *fail
		}
		*built++
		in := &instance{age: age}
		in.open(newWatchdog())
		in.begin(time.Hour)
		in.end()
		return in, nil
	}
	return newPool(size, build, func() {}), built, fail
}

func TestPoolIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, built, _ := newTestPool(2)
		a, _ := p.take(t.Context())
		b, _ := p.take(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third call: %v", err)
		}
		third := make(chan *instance)
		go func() {
			in, _ := p.take(t.Context())
			third <- in
		}()
		synctest.Wait()
		p.put(a, useWorked)
		if c := <-third; c != a || *built != 2 {
			t.Errorf("the third call got another instance; %d built", *built)
		}
		p.put(b, useOther)
		p.put(a, useWorked)
	})
}

func TestPoolPausesAfterFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, built, _ := newTestPool(1)
		var waits []time.Duration
		for range 20 {
			began := time.Now()
			in, err := p.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, time.Since(began))
			p.put(in, useFaulted)
		}
		for i, want := range []time.Duration{0, 0, 0, firstPause, 2 * firstPause, 4 * firstPause} {
			if waits[i] != want {
				t.Errorf("instance %d came after %s, want %s", i, waits[i], want)
			}
		}
		if waits[19] != longestPause || *built != 20 {
			t.Errorf("the last came after %s; %d built", waits[19], *built)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := p.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that does not wait for the pause: %v", err)
		}
		in, _ := p.take(t.Context())
		p.put(in, useWorked)
		if p.faultsInRow() != 0 {
			t.Errorf("%d faults in a row after a call that worked", p.faultsInRow())
		}
	})
}

func TestPoolCountsFailedBuilds(t *testing.T) {
	p, _, fail := newTestPool(1)
	*fail = errors.New("no")
	for range 3 {
		if _, err := p.take(t.Context()); !errors.Is(err, *fail) {
			t.Fatal(err)
		}
	}
	if p.faultsInRow() != 3 {
		t.Errorf("%d faults", p.faultsInRow())
	}
}

func TestPoolRenewal(t *testing.T) {
	p, built, _ := newTestPool(2)
	a, _ := p.take(t.Context())
	b, _ := p.take(t.Context())
	p.put(b, useWorked)
	p.renew()
	p.put(a, useWorked)
	c, _ := p.take(t.Context())
	if c == a || c == b || *built != 3 {
		t.Errorf("an instance outlived the renewal; %d built", *built)
	}
	p.put(c, useSpoiled)
	if d, _ := p.take(t.Context()); d == c || p.faultsInRow() != 0 {
		t.Errorf("a spoiled instance is used again, or counted as a fault: %d", p.faultsInRow())
	}
}

func TestPoolClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, _ := newTestPool(1)
		in, _ := p.take(t.Context())
		waiting := make(chan error)
		go func() {
			_, err := p.take(context.Background())
			waiting <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		closed := make(chan struct{})
		go func() { p.close(ctx); close(closed) }()
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			t.Errorf("a waiting call: %v", err)
		}
		<-in.Done() // the context ends, and with it the call
		select {
		case <-closed:
			t.Error("closed while a call runs")
		default:
		}
		p.put(in, useFaulted)
		<-closed
	})
}

// flag is a stop global without a guest.
type flag struct {
	api.MutableGlobal
	set bool
}

func (f *flag) Set(uint64) { f.set = true }

func TestTimeLimit(t *testing.T) {
	var l timeLimit
	w, stop := newWatchdog(), &flag{}
	l.open(w)
	l.arm(stop)
	l.begin(time.Hour)
	if !w.look() || l.over() {
		t.Error("a call is not seen, or ended early")
	}
	l.end()
	if w.look() || l.over() || stop.set {
		t.Error("the limit struck between calls")
	}
	l.begin(time.Second)
	if l.left() != time.Second {
		t.Errorf("a call that the watchdog did not see yet has %s left", l.left())
	}
	l.check(time.Hour)
	if l.check(time.Hour + time.Second - 1); l.over() {
		t.Error("the limit struck too early")
	}
	l.check(time.Hour + time.Second)
	if !l.over() || l.Err() == nil || !stop.set {
		t.Error("the limit did not strike")
	}
	l.end()
	late := &flag{}
	if l.arm(late); !late.set {
		t.Error("a guest that came after the limit struck goes on")
	}
	if l.shut(); len(w.watched) != 0 {
		t.Error("the watchdog still watches")
	}
}

func TestReadCacheIsBounded(t *testing.T) {
	var c readCache
	value := make([]byte, 1000)
	for i := range 100_000 {
		c.put(string(rune(i)), value)
		c.get("\x00") // stays in use
	}
	if n := len(c.young) + len(c.old); n > 2*cacheBytes/1000 {
		t.Errorf("%d entries", n)
	}
	if _, ok := c.get("\x00"); !ok {
		t.Error("an entry in use was forgotten")
	}
	c.put("big", make([]byte, cacheBytes))
	if _, ok := c.get("big"); ok {
		t.Error("a value as big as the cache is kept")
	}
	c.remove("\x00")
	if _, ok := c.get("\x00"); ok {
		t.Error("a removed entry is there")
	}
}
