package rmds

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

func block(headers ...Header) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(headers)))
	for _, h := range headers {
		for _, s := range []string{h.Name, h.Value} {
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
		}
	}
	return b
}

func FuzzParseHeaders(f *testing.F) {
	f.Add(block(Header{"a", "1"}, Header{"", ""}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		headers := parseHeaders(b)
		if again := parseHeaders(block(headers...)); !slices.Equal(again, headers) {
			t.Errorf("%q became %q", headers, again)
		}
	})
}

func TestParseHeaders(t *testing.T) {
	want := []Header{{"a", "1"}, {"b", ""}}
	whole := block(want...)
	if got := parseHeaders(whole); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := parseHeaders(whole[:len(whole)-1]); !slices.Equal(got, want[:1]) {
		t.Errorf("of a cut block: %v", got)
	}
}

func TestErrors(t *testing.T) {
	for code, want := range map[int32]error{-1: ErrAbsent, -2: ErrArgument, -3: ErrLimit, -4: ErrDenied, -5: ErrMisplaced} {
		if err := check("x", code); !errors.Is(err, want) {
			t.Errorf("%d is %v", code, err)
		}
	}
	if err := check("x", 0); err != nil {
		t.Errorf("0 is %v", err)
	}
}

func TestFillAsksAgainForMore(t *testing.T) {
	value := make([]byte, 1000)
	value[999] = 7
	got, n := fill(func(buf []byte) int32 { copy(buf, value); return int32(len(value)) })
	if n != 1000 || len(got) != 1000 || got[999] != 7 {
		t.Errorf("%d bytes, result %d", len(got), n)
	}
}

func TestWithoutARouter(t *testing.T) {
	if _, err := Add("key", 1); !errors.Is(err, ErrMisplaced) {
		t.Errorf("Add: %v", err)
	}
	for what, err := range map[string]error{"Emit": Emit("a", nil, TTL(time.Second)), "Set": Set("key", nil), "SetBody": newMessage(0).SetBody(nil)} {
		if !errors.Is(err, ErrMisplaced) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if minCounter != math.MinInt64+16 {
		t.Error("the smallest counter moved")
	}
}

func TestPanicBecomesAFault(t *testing.T) {
	Handle(func(*Message) Verdict { panic("x") })
	defer Handle(nil)
	if v := runHandle(0); v != failed {
		t.Errorf("verdict %d", v)
	}
	if v := runFilter(0); v != failed {
		t.Errorf("a filter that is not there: %d", v)
	}
}

func TestEntryPointsOfALife(t *testing.T) {
	defer func() { tick, start, health, stop = nil, nil, nil, nil }()
	if v := runInit(); v != failed {
		t.Errorf("a plugin that registers nothing starts: %d", v)
	}
	var at time.Time
	Tick(func(now time.Time) Verdict { at = now; return Retry })
	if v := runInit(); v != 0 {
		t.Errorf("start: %d", v)
	}
	if v := runTick(1500); v != Retry || at.UnixMilli() != 1500 {
		t.Errorf("tick: %d at %s", v, at)
	}
	Start(func() error { return errors.New("no") })
	if v := runInit(); v != 1 {
		t.Errorf("a start that is refused: %d", v)
	}
	if v := runHealth(); v != 0 {
		t.Errorf("health without a function: %d", v)
	}
	Health(func() error { return errors.New("no") })
	if v := runHealth(); v != 1 {
		t.Errorf("health: %d", v)
	}
	stopped := false
	runStop()
	Stop(func() { stopped = true; panic("ignored") })
	if runStop(); !stopped {
		t.Error("not stopped")
	}
}
