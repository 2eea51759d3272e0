package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/internal/abi"
	"github.com/getevo/rmds-router/plugins/pluginstest"
	"pgregory.net/rapid"
)

var errCommit = errors.New("commit failed")

func TestKVSeesItsOwnWrites(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("probe"))
	s := &script{}
	key, n := s.text("key")
	value, valueLen := s.text("value")
	at := s.room(8)
	absent := s.do(fnKVGet, key, n, at, 8)
	s.do(fnKVSet, key, n, value, valueLen)
	got := s.do(fnKVGet, key, n, at, 3)
	s.do(fnKVDel, key, n)
	deleted := s.do(fnKVGet, key, n, at, 0)
	s.do(fnKVSet, key, n, value, 0)
	empty := s.do(fnKVGet, key, n, at, 0)
	o := handle(t, h, p, s)[0]
	a := answersOf(t, o)
	if a.result(absent) != abi.Absent || a.result(got) != 5 || a.bytes(at, 8) != "val\x00\x00\x00\x00\x00" || a.result(deleted) != abi.Absent || a.result(empty) != 0 {
		t.Errorf("%d, %d, %q, %d, %d", a.result(absent), a.result(got), a.bytes(at, 8), a.result(deleted), a.result(empty))
	}
	if len(o.Effects.State) != 1 || o.Effects.State[0].Value == nil || len(o.Effects.State[0].Value) != 0 {
		t.Errorf("changes are %+v, want one empty value", o.Effects.State)
	}
}

func TestKVValuesGrowAndShrinkWithinACall(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("probe"))
	s := &script{}
	a, n := s.text("a")
	b, _ := s.text("b")
	text, _ := s.text("0123456789")
	s.do(fnKVSet, a, n, text, 2)
	s.do(fnKVSet, b, n, text, 10)
	s.do(fnKVSet, a, n, text+1, 9)
	s.do(fnKVSet, b, n, text+9, 1)
	handle(t, h, p, s)
	if all := h.State.All("probe"); string(all["a"]) != "123456789" || string(all["b"]) != "9" {
		t.Errorf("keys are %q", all)
	}
}

func TestOnlyEffectIsAnEmptyValue(t *testing.T) {
	h, c := pluginstest.New(t), fixture("probe")
	c.Allow.Emit = nil
	s := &script{}
	key, n := s.text("a")
	s.do(fnKVSet, key, n, 0, 0)
	if o := handle(t, h, h.Load(t, c), s)[0]; len(o.Effects.State) != 1 || o.Effects.State[0].Value == nil {
		t.Errorf("%s, %+v: an empty value is not a deletion", o.Reason, o.Effects)
	}
}

func TestKVLimitsAndArguments(t *testing.T) {
	h, c := pluginstest.New(t), fixture("probe")
	c.Limits.Key, c.Limits.Value = 4, 6
	h.State.Apply("probe", []plugins.StateChange{{Key: []byte("text"), Value: []byte("no")}, {Key: []byte("max"), Value: abi.AppendCounter(nil, math.MaxInt64)}})
	p := h.Load(t, c)
	s := &script{}
	long, _ := s.text("12345678")
	text, _ := s.text("text")
	top, _ := s.text("max")
	results := map[int]int64{
		s.do(fnKVSet, long, 4, long, 6):        abi.OK,
		s.do(fnKVSet, long, 5, long, 6):        abi.Limit,
		s.do(fnKVSet, long, 4, long, 7):        abi.Limit,
		s.do(fnKVSet, long, 0, long, 1):        abi.Argument,
		s.do(fnKVGet, long, 5, long, 0):        abi.Limit,
		s.do(fnKVDel, long, 0):                 abi.Argument,
		s.do(fnKVNext, long, 5, long, 0):       abi.Limit,
		s.do(fnKVAdd, text, 4, 1):              abi.AddError(abi.Argument),
		s.do(fnKVAdd, top, 3, 1):               abi.AddError(abi.Limit),
		s.do(fnKVAdd, top, 3, -1):              math.MaxInt64 - 1,
		s.do(fnKVAdd, long, 1, math.MinInt64):  abi.AddError(abi.Limit),
		s.do(fnKVAdd, long, 1, abi.MinCounter): abi.MinCounter,
		s.do(fnKVAdd, long, 1, -1):             abi.AddError(abi.Limit),
		s.do(fnKVAdd, long, 5, 1):              abi.AddError(abi.Limit),
	}
	a := answersOf(t, handle(t, h, p, s)[0])
	for call, want := range results {
		if a.result(call) != want {
			t.Errorf("call %v gives %d, want %d", s.calls[call], a.result(call), want)
		}
	}
}

// count calls the counter once; the caller settles and releases.
func count(p *plugins.Plugin, body string) plugins.Outcome {
	return p.Handle(context.Background(), &pluginstest.Bodies(body)[0])
}

func value(t *testing.T, o plugins.Outcome) int {
	t.Helper()
	if o.Verdict != plugins.Ack || len(o.Effects.Emits) != 1 {
		t.Fatalf("%s, %s", o.Verdict, o.Reason)
	}
	return int(o.Effects.Emits[0].Body[0])
}

func TestOverlay(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("counter"))
	commit := func(o plugins.Outcome) {
		h.State.Apply("counter", o.Effects.State)
		o.Settle(nil)
	}
	next := func(body string) plugins.Outcome {
		o := count(p, body)
		o.Release()
		return o
	}
	first := next("x")
	refused := next("!")
	second, third := next("x"), next("x")
	if refused.Verdict != plugins.Retry || !refused.Effects.Empty() {
		t.Errorf("refused: %s, %+v", refused.Verdict, refused.Effects)
	}
	if a, b, c := value(t, first), value(t, second), value(t, third); a != 1 || b != 2 || c != 3 {
		t.Errorf("before any commit: %d, %d, %d", a, b, c)
	}
	commit(first)
	refused.Settle(nil)
	made := p.Stats().Instances
	second.Settle(errCommit)
	if first.Void() || !second.Void() || !third.Void() {
		t.Errorf("void: %v, %v, %v; want the second and third", first.Void(), second.Void(), third.Void())
	}
	fourth := next("x")
	if got := value(t, fourth); got != 2 {
		t.Errorf("after a failed commit: %d, want 2", got)
	}
	third.Settle(errCommit) // must not touch the fourth
	fifth := next("x")
	if got := value(t, fifth); got != 3 || fourth.Void() {
		t.Errorf("a void outcome's settlement took a later one with it: %d, %v", got, fourth.Void())
	}
	if p.Stats().Instances == made {
		t.Error("instances outlived the failed commit")
	}
	commit(fourth)
	commit(fifth)
	if last := next("x"); value(t, last) != 4 {
		t.Errorf("at the end: %d", value(t, last))
	}
}

func TestCallUnderWayIsVoidedByAFailedCommit(t *testing.T) {
	h := pluginstest.New(t)
	gate := &gatedState{State: h.State, reached: make(chan struct{}), open: make(chan struct{})}
	host := plugins.NewHost(plugins.HostOptions{State: gate})
	defer host.Close(context.Background())
	p, err := host.Load(t.Context(), fixture("probe"))
	if err != nil {
		t.Fatal(err)
	}
	s := &script{}
	key, n := s.text("a")
	s.do(fnKVAdd, key, n, 1)
	m := s.message()
	go func() { <-gate.reached; gate.open <- struct{}{} }()
	first := p.Handle(t.Context(), &m)
	first.Release()
	s = &script{}
	key, n = s.text("b")
	s.do(fnKVAdd, key, n, 1)
	m2 := s.message()
	second := make(chan plugins.Outcome)
	go func() { second <- p.Handle(context.Background(), &m2) }()
	<-gate.reached
	first.Settle(errCommit)
	gate.open <- struct{}{}
	o := <-second
	if !o.Void() {
		t.Error("the call that ran during the failure is not void")
	}
	o.Release()
	o.Settle(errCommit)
	if got := p.Stats().Discarded; got != 1 {
		t.Errorf("%d instances discarded, want the one that was in use", got)
	}
}

// gatedState halts every read until it is let go on.
type gatedState struct {
	plugins.State
	reached, open chan struct{}
}

func (g *gatedState) Get(namespace string, key []byte) ([]byte, bool, error) {
	g.reached <- struct{}{}
	<-g.open
	return g.State.Get(namespace, key)
}

func TestNoReleaseNoNextCall(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("counter"))
	first := count(p, "x")
	first.Settle(nil) // settled is not released
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if o := p.Handle(ctx, &pluginstest.Bodies("x")[0]); o.Verdict != plugins.Retry || o.Reason != "not called: context deadline exceeded" {
		t.Errorf("%s, %q", o.Verdict, o.Reason)
	}
	first.Release()
	first.Release() // and once too often lets no two calls in
	second := count(p, "x")
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if o := p.Handle(ctx, &pluginstest.Bodies("x")[0]); o.Verdict != plugins.Retry {
		t.Errorf("a second release let a call in: %s", o.Verdict)
	}
	second.Release()
	second.Settle(nil)
}

// TestKVModel runs random calls against a plain map, with commits that lag, fail, and take everything behind them along.
func TestKVModel(t *testing.T) {
	h := pluginstest.New(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		config := fixture("probe")
		config.Name = fmt.Sprintf("probe%d", runs)
		p, err := h.Host.Load(context.Background(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close(context.Background())
		m := &kvModel{h: h, p: p, durable: map[string]string{}, now: map[string]string{}}
		t.Repeat(map[string]func(*rapid.T){
			"call":   m.call,
			"commit": m.commit,
			"fail":   m.fail,
		})
	})
}

type kvModel struct {
	h            *pluginstest.Harness
	p            *plugins.Plugin
	durable, now map[string]string
	pending      []pendingCall
}

type pendingCall struct {
	o     plugins.Outcome
	after map[string]string // everything, once it is committed
}

var modelKeys = []string{"a", "ab", "b", "c", "\x00", "\xff"}

// call makes one call of random operations and checks each against the map.
func (m *kvModel) call(t *rapid.T) {
	s := &script{}
	state := make(map[string]string)
	for k, v := range m.now {
		state[k] = v
	}
	want := map[int]int64{}
	texts := map[int64]string{}
	for range rapid.IntRange(0, 6).Draw(t, "operations") {
		name := rapid.SampledFrom(modelKeys).Draw(t, "key")
		key, n := s.text(name)
		switch rapid.IntRange(0, 4).Draw(t, "operation") {
		case 0:
			v := rapid.SampledFrom([]string{"", "x", "longer"}).Draw(t, "value")
			at, length := s.text(v)
			want[s.do(fnKVSet, key, n, at, length)] = abi.OK
			state[name] = v
		case 1:
			want[s.do(fnKVDel, key, n)] = abi.OK
			delete(state, name)
		case 2:
			at := s.room(8)
			call := s.do(fnKVGet, key, n, at, 8)
			want[call] = abi.Absent
			if v, ok := state[name]; ok {
				want[call], texts[at] = int64(len(v)), v
			}
		case 3:
			delta := rapid.Int64Range(-3, 3).Draw(t, "delta")
			call := s.do(fnKVAdd, key, n, delta)
			v, ok := state[name]
			old, isCounter := abi.Counter([]byte(v))
			if ok && !isCounter {
				want[call] = abi.AddError(abi.Argument)
				continue
			}
			want[call] = old + delta
			state[name] = string(abi.AppendCounter(nil, old+delta))
		case 4:
			at := s.room(8)
			if rapid.Bool().Draw(t, "from the start") {
				name, n = "", 0
			}
			call := s.do(fnKVNext, key, n, at, 8)
			want[call] = abi.Absent
			if k, ok := keyAbove(state, name); ok {
				want[call], texts[at] = int64(len(k)), k
			}
		}
	}
	failing := rapid.IntRange(0, 4).Draw(t, "verdict") == 0
	if failing {
		s.do(fnReturn, abi.VerdictRetry)
		state = m.now
	}
	message := s.message()
	o := m.p.Handle(context.Background(), &message)
	o.Release()
	if failing {
		if o.Verdict != plugins.Retry || !o.Effects.Empty() {
			t.Fatalf("%s, %+v", o.Verdict, o.Effects)
		}
	} else {
		if o.Verdict != plugins.Ack {
			t.Fatalf("%s, %s", o.Verdict, o.Reason)
		}
		a := answers{o.Effects.Emits[0].Body}
		for call, v := range want {
			if a.result(call) != v {
				t.Fatalf("operation %d of %v gives %d, want %d", call, s.calls, a.result(call), v)
			}
		}
		for at, v := range texts {
			if got := a.bytes(at, int64(len(v))); got != v {
				t.Fatalf("read %q, want %q", got, v)
			}
		}
	}
	m.now = state
	m.pending = append(m.pending, pendingCall{o, state})
}

func keyAbove(state map[string]string, after string) (string, bool) {
	best, found := "", false
	for k := range state {
		if k > after && (!found || k < best) {
			best, found = k, true
		}
	}
	return best, found
}

// commit makes some of the oldest calls durable and settles them, sometimes out of order.
func (m *kvModel) commit(t *rapid.T) {
	n := rapid.IntRange(0, len(m.pending)).Draw(t, "calls")
	done := m.pending[:n]
	for _, c := range done {
		m.h.State.Apply(m.p.Name(), c.o.Effects.State)
		m.durable = c.after
	}
	m.pending = m.pending[n:]
	if rapid.Bool().Draw(t, "backwards") {
		for i := range done {
			done[len(done)-1-i].o.Settle(nil)
		}
		return
	}
	for _, c := range done {
		c.o.Settle(nil)
	}
}

// fail lets a commit fail: what is behind it is void.
func (m *kvModel) fail(t *rapid.T) {
	if len(m.pending) == 0 {
		t.Skip("nothing is pending")
	}
	at := rapid.IntRange(0, len(m.pending)-1).Draw(t, "from")
	gone := m.pending[at:]
	m.pending = m.pending[:at]
	m.now = m.durable
	if at > 0 {
		m.now = m.pending[at-1].after
	}
	gone[0].o.Settle(errCommit)
	for _, c := range gone {
		if !c.o.Void() {
			t.Fatal("a call behind a failed commit is not void")
		}
	}
	for _, c := range gone[1:] {
		c.o.Settle(errCommit)
	}
	for _, c := range m.pending {
		if c.o.Void() {
			t.Fatal("a call before the failed commit is void")
		}
	}
}
