package router

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getevo/rmds-router/router/admin"
)

// collect runs the collector over and over until the function that it gives is called, which fails the test if a collection took long: a guest that
// cannot be stopped for one would hold it up.
func collect(t *testing.T) (end func()) {
	done := make(chan struct{})
	longest := make(chan time.Duration)
	go func() {
		took := time.Duration(0)
		for {
			began := time.Now()
			runtime.GC()
			took = max(took, time.Since(began))
			select {
			case <-done:
				longest <- took
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() {
		t.Helper()
		close(done)
		if took := <-longest; took > 10*time.Second {
			t.Errorf("a collection took %s", took)
		}
	}
}

// function is a module with one function of these bytes, its local variables included.
func function(body []byte) []byte {
	leb := func(n int) (b []byte) {
		for ; n >= 0x80; n >>= 7 {
			b = append(b, byte(n)|0x80)
		}
		return append(b, byte(n))
	}
	code := append(append([]byte{1}, leb(len(body))...), body...)
	module := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a")
	return append(append(module, leb(len(code))...), code...)
}

// TestHostileVersionsAreRefusedUnderLoad puts one module after another in a handler's file that would kill or hold up the host where it is compiled,
// started or asked for its health: each is refused, counted and logged, while the version before handles every message once.
func TestHostileVersionsAreRefusedUnderLoad(t *testing.T) {
	f := newFolder(t)
	f.swap("count.wasm", "counter")
	r := f.start(`
delivery: {retry_interval: 5ms, max_retry_attempts: 1000}
plugins:
  - {name: count, file: DIR/count.wasm, allow: {emit: [out], kv: true}}
channels:
  - {name: in, own: true, consumer: count}
  - {name: out, own: true, consumer: none}
`)
	end := collect(t)
	sent := int64(0)
	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for {
			if err := trySend(t, r, "in", "x"); err != nil {
				t.Error(err)
				return
			}
			sent++
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	fixture := func(name string) []byte {
		b, err := os.ReadFile("../plugins/testdata/" + name + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	last := int64(0)
	for _, c := range []struct {
		name, text string
		module     []byte
	}{
		{"four billion local variables", "4294967295 local variables", function([]byte("\x01\xff\xff\xff\xff\x0f\x7f\x0b"))},
		{"blocks that take minutes to compile", "5001 blocks", function(append(append([]byte{0}, bytes.Repeat([]byte{2, 0x40, 0x0b}, 5001)...), 0x0b))},
		{"a function of a megabyte", "bytes", function(append(append([]byte{0}, bytes.Repeat([]byte{1}, 1<<20)...), 0x0b))},
		{"a component", "is a component", []byte("\x00asm\x0d\x00\x01\x00")},
		{"a loop in the start function", "out of time", fixture("loop_start")},
		{"recursion in the start function", "out of time", fixture("hostile_start_recursion")},
		{"a loop in _initialize", "out of time", fixture("hostile_initialize")},
		{"a loop in rmds_init", "out of time", fixture("hostile_init")},
		{"a loop in rmds_health", "out of time", fixture("hostile_ends")},
		{"a trap in _initialize", "wasm error: unreachable", fixture("trap_start")},
	} {
		next := f.file("count.wasm.next")
		if err := errors.Join(os.WriteFile(next, c.module, 0o600), os.Rename(next, f.file("count.wasm"))); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() (bool, string) {
			p := r.Status().Plugins[0]
			ok := p.Refused > last && p.Edition == 1 && strings.Contains(p.State, "a new version was refused: ") && strings.Contains(p.State, c.text)
			if ok {
				last = p.Refused
			}
			return ok, fmt.Sprintf("%s: %+v", c.name, p)
		})
		if !strings.Contains(f.log.String(), c.text) {
			t.Errorf("%s: the log lacks %s", c.name, c.text)
		}
	}
	f.swap("count.wasm", "counter2")
	eventually(t, func() (bool, string) {
		p := r.Status().Plugins[0]
		return p.Edition == 2 && p.State == "working", fmt.Sprintf("%+v", p)
	})
	close(stop)
	load.Wait()
	end()
	if a := account(t, r, "in", sent); a.Handled != sent {
		t.Errorf("%+v", a)
	}
	account(t, r, "out", sent)
	if n := counter(t, r, "count", "n"); n != sent {
		t.Errorf("counted %d of %d", n, sent)
	}
}

// TestAGuestThatHangsInALaterStart starts well once, and then never again: its messages end as dead letters, and a better version serves the next.
func TestAGuestThatHangsInALaterStart(t *testing.T) {
	f := newFolder(t)
	f.swap("late.wasm", "later_start")
	r := f.start(`
delivery: {retry_interval: 5ms, max_retry_attempts: 1}
plugins: [{name: late, file: DIR/late.wasm, allow: {node_info: true}}]
channels: [{name: in, own: true, consumer: late}]
`)
	end := collect(t)
	send(t, r, "in", "traps", "comes to an instance that never starts")
	if a := account(t, r, "in", 2); a.Dead != 2 {
		t.Errorf("%+v", a)
	}
	end()
	if p := r.Status().Plugins[0]; p.Faults != 2 {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(f.log.String(), "rmds_init failed: out of time") {
		t.Error(f.log.String())
	}
	f.swap("late.wasm", "verdict")
	eventually(t, func() (bool, string) {
		p := r.Status().Plugins[0]
		return p.Edition == 2, fmt.Sprintf("%+v", p)
	})
	eventually(t, func() (bool, string) { // a call may take its 200 ms when the machine is busy, and there is one attempt
		send(t, r, "in", "0")
		a := r.Status().Accounts[0]
		return a.Handled > 0, fmt.Sprintf("%+v", a)
	})
}

// TestAGuestThatHangsInItsStop is thrown away all the same.
func TestAGuestThatHangsInItsStop(t *testing.T) {
	f := newFolder(t)
	f.swap("p.wasm", "hostile_ends")
	text := quick + `
plugins: [{name: p, file: DIR/p.wasm, limits: {timeout: 1s}}]
channels: [{name: in, own: true, consumer: p}]
`
	r := f.start(text)
	end := collect(t)
	send(t, r, "in", "x")
	account(t, r, "in", 1)
	f.swap("p.wasm", "verdict")
	eventually(t, func() (bool, string) {
		return strings.Count(f.log.String(), "rmds_stop failed") == 1, f.log.String()
	})
	if p := r.Status().Plugins[0]; p.Edition != 2 {
		t.Errorf("%+v", p)
	}
	closeRouter(t, r)
	f.swap("p.wasm", "hostile_ends")
	r = f.start(text)
	send(t, r, "in", "x")
	account(t, r, "in", 2)
	closeRouter(t, r)
	end()
	if n := strings.Count(f.log.String(), "rmds_stop failed"); n != 2 {
		t.Errorf("rmds_stop failed %d times", n)
	}
}

// TestFiltersAndTicksThatNeverComeBack end as faults; what is sent is refused with a reason, what came in is a dead letter, and the rest of the router goes on.
func TestFiltersAndTicksThatNeverComeBack(t *testing.T) {
	f := newFolder(t)
	r := f.start(`
delivery: {retry_interval: 5ms, max_retry_attempts: 2}
plugins: [{name: bad, file: WASM/hostile_others.wasm, tick: 20ms, limits: {timeout: 50ms}}]
channels:
  - {name: outward, own: true, outbound: [bad], consumer: none}
  - {name: inward, own: true, inbound: [bad], consumer: none}
  - {name: free, own: true, consumer: none}
`)
	end := collect(t)
	if err := trySend(t, r, "outward", "x"); !errors.Is(err, admin.ErrHeld) || !strings.Contains(err.Error(), "plugin bad: out of time") {
		t.Errorf("outward: %v", err)
	}
	send(t, r, "inward", "x")
	if a := account(t, r, "inward", 1); a.Dead != 1 {
		t.Errorf("inward: %+v", a)
	}
	eventually(t, func() (bool, string) {
		return strings.Contains(f.log.String(), "a tick failed; its effects are discarded"), f.log.String()
	})
	send(t, r, "free", "x")
	if a := account(t, r, "free", 1); a.Handled != 1 {
		t.Errorf("free: %+v", a)
	}
	end()
	if p := r.Status().Plugins[0]; p.Faults < 4 || !strings.Contains(p.State, "calls failed") {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(f.log.String(), "plugin failed") {
		t.Error("no fault is in the log")
	}
}
