package plugins_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/internal/abi"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

func TestRead(t *testing.T) {
	block := abi.AppendCount(nil, 3)
	for _, h := range [][2]string{{"a", "1"}, {"b", ""}, {"a", "2"}} {
		block = abi.AppendHeader(block, h[0], h[1])
	}
	for _, c := range []struct {
		field, off, capacity int64
		want                 int64
		read                 string
	}{
		{abi.FieldID, 0, 10, 4, "id-1"},
		{abi.FieldID, 1, 2, 4, "d-"},
		{abi.FieldID, 4, 10, 4, ""},
		{abi.FieldID, 0xffffffff, 10, 4, ""},
		{abi.FieldID, 0, 0, 4, ""},
		{abi.FieldChannel, 0, 10, 2, "in"},
		{abi.FieldSender, 0, 10, 6, "node-7"},
		{abi.FieldHeaders, 0, 100, int64(len(block)), string(block)},
		{abi.FieldConfig, 0, 100, 7, `{"k":1}`},
		{abi.FieldPlugin, 0, 100, 5, "probe"},
		{abi.FieldLastError, 0, 100, 6, "before"},
		{abi.FieldNodeInfo, 0, 100, 2, "{}"},
		{9, 0, 100, abi.Argument, ""},
		{-1, 0, 100, abi.Argument, ""},
	} {
		s := &script{}
		at := s.room(100)
		call := s.do(fnRead, c.field, c.off, at, c.capacity)
		a := answersOf(t, s.filter(t, nil))
		want := c.read + string(make([]byte, 100-len(c.read)))
		if a.result(call) != c.want || a.bytes(at, 100) != want {
			t.Errorf("%+v: %d, %q", c, a.result(call), strings.TrimRight(a.bytes(at, 100), "\x00"))
		}
	}
	s := &script{}
	call := s.do(fnRead, abi.FieldNodeInfo, 0, s.room(10), 10)
	if a := answersOf(t, s.filter(t, func(c *plugins.Config) { c.Allow.NodeInfo = false })); a.result(call) != abi.Denied {
		t.Errorf("node info without grant: %d", a.result(call))
	}
}

func TestNum(t *testing.T) {
	s := &script{}
	for field := range int64(9) {
		s.do(fnNum, field)
	}
	again := s.do(fnNum, abi.NumRandom)
	before := time.Now().UnixMilli()
	a := answersOf(t, s.filter(t, nil))
	for field, want := range map[int]int64{abi.NumCreated: 1000, abi.NumAttempt: 3, abi.NumExpires: 2000, abi.NumSeq: 1 << 40, 8: abi.Argument} {
		if a.result(field) != want {
			t.Errorf("num(%d) is %d, want %d", field, a.result(field), want)
		}
	}
	if now := a.result(abi.NumNow); now < before || now > time.Now().UnixMilli() {
		t.Errorf("now is %d", now)
	}
	if left := a.result(abi.NumLeft); left < 0 || left > patience.Milliseconds() {
		t.Errorf("%d ms are left", left)
	}
	if a.result(abi.NumRandom) == a.result(again) || a.result(abi.NumMonotonic) <= 0 {
		t.Errorf("random %d and %d, monotonic %d", a.result(abi.NumRandom), a.result(again), a.result(abi.NumMonotonic))
	}
}

func TestHeader(t *testing.T) {
	s := &script{}
	name, n := s.text("a")
	at := s.room(4)
	found := s.do(fnHeader, name, n, at, 4)
	missing := s.do(fnHeader, at, 4, at, 4)
	nothing := s.do(fnHeader, 0, 0, at, 4)
	a := answersOf(t, s.filter(t, nil))
	if a.result(found) != 1 || a.bytes(at, 2) != "1\x00" || a.result(missing) != abi.Absent || a.result(nothing) != abi.Absent {
		t.Errorf("%d, %q, %d, %d", a.result(found), a.bytes(at, 2), a.result(missing), a.result(nothing))
	}
}

func TestFilterChanges(t *testing.T) {
	s := &script{}
	body, bodyLen := s.text("new body")
	channel, channelLen := s.text("other")
	bad, badLen := s.text("not.legal")
	header, headerLen := s.text("a")
	added, addedLen := s.text("c")
	long := s.room(abi.MaxHeaderName + 1)
	results := map[int]int64{
		s.do(fnSet, abi.FieldBody, body, bodyLen):                                       abi.OK,
		s.do(fnSet, abi.FieldChannel, channel, channelLen):                              abi.OK,
		s.do(fnSet, abi.FieldChannel, bad, badLen):                                      abi.Argument,
		s.do(fnSet, abi.FieldID, body, bodyLen):                                         abi.Argument,
		s.do(fnSetHeader, header, headerLen, body, bodyLen):                             abi.OK,
		s.do(fnSetHeader, added, addedLen, body, 3):                                     abi.OK,
		s.do(fnSetHeader, added, 0, body, 3):                                            abi.Argument,
		s.do(fnSetHeader, long, abi.MaxHeaderName+1, body, 3):                           abi.Argument,
		s.do(fnSetHeader, s.room(1), 1, body, 3):                                        abi.Argument,
		s.do(fnSetHeader, func() int64 { at, _ := s.text("b"); return at }(), 1, 0, -1): abi.OK,
	}
	o := s.filter(t, nil)
	a := answersOf(t, o)
	for call, want := range results {
		if a.result(call) != want {
			t.Errorf("call %v gives %d, want %d", s.calls[call], a.result(call), want)
		}
	}
	want := []plugins.Header{{Name: "a", Value: "new body"}, {Name: "c", Value: "new"}}
	if string(o.Body) != "new body" || o.Channel != "other" || !slices.Equal(o.Headers, want) || !o.Changed {
		t.Errorf("message became %q in %q with %v, changed %v", o.Body, o.Channel, o.Headers, o.Changed)
	}
	if o := (&script{}).filter(t, nil); o.Changed || o.Channel != "in" || len(o.Headers) != 3 || len(o.Body) == 0 {
		t.Errorf("unchanged message: %+v", o)
	}
}

func TestEmptyBodyCanBeSet(t *testing.T) {
	s := &script{}
	s.do(fnSet, abi.FieldBody, 0, 0)
	if o := s.filter(t, nil); len(o.Body) != 0 || !o.Changed {
		t.Errorf("body is %q, changed %v", o.Body, o.Changed)
	}
}

func TestGrants(t *testing.T) {
	s := &script{}
	in, inLen := s.text("in")
	other, otherLen := s.text("other")
	set := s.do(fnSet, abi.FieldChannel, other, otherLen)
	same := s.do(fnSet, abi.FieldChannel, in, inLen)
	emit := s.do(fnEmit, other, otherLen, in, inLen)
	get := s.do(fnKVGet, in, inLen, other, 1)
	add := s.do(fnKVAdd, in, inLen, 1)
	put := s.do(fnKVSet, in, inLen, in, inLen)
	del := s.do(fnKVDel, in, inLen)
	next := s.do(fnKVNext, in, 0, other, 1)
	var plugin *plugins.Plugin
	h := pluginstest.New(t)
	c := fixture("probe")
	c.Allow = plugins.Allow{Emit: []string{"out"}}
	plugin = h.Load(t, c)
	if plugin.Stateful() {
		t.Error("stateful without the grant")
	}
	a := answersOf(t, h.Run(plugin, s.message())[0])
	for _, call := range []int{set, emit, get, put, del, next} {
		if a.result(call) != abi.Denied {
			t.Errorf("call %v gives %d", s.calls[call], a.result(call))
		}
	}
	if a.result(same) != abi.OK || a.result(add) != abi.AddError(abi.Denied) {
		t.Errorf("same channel %d, add %d", a.result(same), a.result(add))
	}
}

func TestEmit(t *testing.T) {
	s := &script{}
	channel, channelLen := s.text("alerts")
	body, bodyLen := s.text("hello")
	bad, badLen := s.text("a b")
	name, nameLen := s.text("h")
	s.do(fnEmitHeader, name, nameLen, body, bodyLen)
	s.do(fnEmitHeader, name, nameLen, body, 0)
	s.do(fnOpt, abi.OptTTL, 5000)
	s.do(fnOpt, abi.OptDelay, 70)
	s.do(fnEmit, channel, channelLen, body, bodyLen)
	s.do(fnEmit, channel, channelLen, body, 0)
	s.do(fnEmitHeader, name, nameLen, body, bodyLen)
	s.do(fnOpt, abi.OptTTL, 1)
	refused := s.do(fnEmit, bad, badLen, body, bodyLen)
	o := s.filter(t, nil)
	if r := answersOf(t, o).result(refused); r != abi.Argument {
		t.Errorf("emit to an illegal channel gives %d", r)
	}
	got := fmt.Sprint(o.Effects.Emits[:2])
	want := fmt.Sprint([]plugins.Emit{
		{Channel: "alerts", Body: []byte("hello"), Headers: []plugins.Header{{Name: "h", Value: "hello"}, {Name: "h"}}, TTL: 5 * time.Second, Delay: 70 * time.Millisecond},
		{Channel: "alerts", Body: []byte{}},
	})
	if got != want {
		t.Errorf("emits are\n%s\nwant\n%s", got, want)
	}
	if last := o.Effects.Emits[2]; len(last.Headers) != 0 || last.TTL != 0 {
		t.Errorf("what was meant for the refused emit reached the next: %v, %s", last.Headers, last.TTL)
	}
}

func TestOpt(t *testing.T) {
	s := &script{}
	results := map[int]int64{
		s.do(fnOpt, abi.OptRetryAfter, 10): abi.OK,
		s.do(fnOpt, abi.OptTTL, -1):        abi.Argument,
		s.do(fnOpt, abi.OptDelay, 1<<62):   abi.Argument,
		s.do(fnOpt, abi.OptOffers, 1):      abi.Misplaced,
		s.do(fnOpt, abi.OptOffers+1, 1):    abi.Argument,
		s.do(fnOpt, -1, 1):                 abi.Argument,
	}
	a := answersOf(t, s.filter(t, nil))
	for call, want := range results {
		if a.result(call) != want {
			t.Errorf("opt%v gives %d, want %d", s.calls[call][1:3], a.result(call), want)
		}
	}
}

func TestHandlersCannotChangeTheMessage(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("probe"))
	s := &script{}
	at, n := s.text("x")
	set := s.do(fnSet, abi.FieldBody, at, n)
	header := s.do(fnSetHeader, at, n, at, n)
	a := answersOf(t, handle(t, h, p, s)[0])
	if a.result(set) != abi.Misplaced || a.result(header) != abi.Misplaced {
		t.Errorf("set %d, set_header %d", a.result(set), a.result(header))
	}
}

func TestTick(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("probe"))
	o := p.Tick(t.Context(), time.UnixMilli(77))
	h.Commit(p, o)
	if o.Verdict != plugins.Ack || len(o.Effects.Emits) != 1 || !bytes.Equal(h.State.All("probe")["out"], abi.AppendCounter(nil, 77)) {
		t.Errorf("%s, %s, %+v", o.Verdict, o.Reason, o.Effects)
	}
}

func TestLogStatFail(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("probe"))
	s := &script{}
	text, n := s.text("hello\xff\nworld")
	stat, statLen := s.text("hits")
	s.do(fnLog, abi.LevelError, text, n)
	s.do(fnLog, 99, text, 5)
	s.do(fnStat, stat, statLen, 5)
	s.do(fnStat, stat, statLen, -2)
	s.do(fnStat, stat, 0, 1)
	s.do(fnFail, text, n)
	s.do(fnReturn, abi.VerdictDead)
	o := handle(t, h, p, s)[0]
	if o.Verdict != plugins.Dead || o.Reason != "hello\uFFFD\nworld" {
		t.Errorf("%s, %q", o.Verdict, o.Reason)
	}
	if got := p.Stats().Custom; len(got) != 1 || got["hits"] != 3 {
		t.Errorf("counters are %v", got)
	}
	for _, line := range []string{
		`{"level":"error","plugin":"probe","message_id":"id-1","message":"hello` + "\uFFFD" + `\nworld"}`,
		`{"level":"info","plugin":"probe","message_id":"id-1","message":"hello"}`,
	} {
		if !strings.Contains(h.Log.String(), line) {
			t.Errorf("log lacks %s:\n%s", line, h.Log)
		}
	}
}

func TestLogLimit(t *testing.T) {
	h, c := pluginstest.New(t), fixture("probe")
	c.Limits.Log = 8
	p := h.Load(t, c)
	s := &script{}
	text, n := s.text("hello")
	for range 3 {
		s.do(fnLog, abi.LevelInfo, text, n)
	}
	handle(t, h, p, s)
	if log := h.Log.String(); strings.Count(log, `"hello"`) != 1 || strings.Count(log, `"hel"`) != 1 || p.Stats().LinesDropped != 1 {
		t.Errorf("%d lines dropped, log is\n%s", p.Stats().LinesDropped, log)
	}
}

func TestLogRate(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("probe"))
	for range 20 {
		s := &script{}
		text, n := s.text("line")
		for range 100 {
			s.do(fnLog, abi.LevelInfo, text, n)
		}
		handle(t, h, p, s)
	}
	lines := strings.Count(h.Log.String(), "\n")
	if dropped := int(p.Stats().LinesDropped); lines < 500 || lines > 1500 || lines+dropped != 2000 {
		t.Errorf("%d lines, %d dropped", lines, dropped)
	}
}

func TestBadPointersTrap(t *testing.T) {
	const end, far = memorySize, 0xfffffff0
	for _, c := range [][]int64{
		{fnRead, 0, 0, end - 1, 2}, {fnRead, 1, 0, far, 0xffff}, {fnRead, 5, 0, end, 1},
		{fnHeader, end, 1, 0, 0}, {fnHeader, dataAt, 1, end - 1, 2},
		{fnSet, 0, end - 1, 2}, {fnSet, 0, 0, 0xffffffff}, {fnSetHeader, end, 1, 0, 0}, {fnSetHeader, loadedAt, 1, end, 1},
		{fnEmitHeader, far, 100, 0, 0}, {fnEmitHeader, loadedAt, 1, far, 100}, {fnEmit, end, 1, 0, 0}, {fnEmit, loadedAt, 1, end, 1},
		{fnKVGet, end, 1, 0, 0}, {fnKVSet, end, 1, 0, 0}, {fnKVSet, loadedAt, 1, end, 1},
		{fnKVDel, end, 1}, {fnKVAdd, end, 1, 1}, {fnKVNext, end, 1, 0, 0},
		{fnLog, 0, end, 1}, {fnStat, end, 1, 1}, {fnFail, far, 0xff},
	} {
		s := &script{}
		s.text("a") // a header's name, at dataAt
		s.do(c[0], c[1:]...)
		o := s.filter(t, nil)
		if o.Verdict != plugins.Fault || !strings.HasPrefix(o.Reason, "bad pointer given to ") || len(o.Effects.Emits) != 0 {
			t.Errorf("%v: %s, %q", c, o.Verdict, o.Reason)
		}
	}
}

func TestNoBytesNeedNoMemory(t *testing.T) {
	const far = 0xfffffff0
	s := &script{}
	key, n := s.text("a")
	results := map[int]int64{
		s.do(fnRead, abi.FieldID, 0, far, 0): 4,
		s.do(fnHeader, key, n, far, 0):       1,
		s.do(fnSet, abi.FieldBody, far, 0):   abi.OK,
		s.do(fnKVSet, key, n, far, 0):        abi.OK,
		s.do(fnKVNext, far, 0, far, 0):       1,
	}
	a := answersOf(t, s.filter(t, nil))
	for call, want := range results {
		if a.result(call) != want {
			t.Errorf("call %v gives %d, want %d", s.calls[call], a.result(call), want)
		}
	}
}
