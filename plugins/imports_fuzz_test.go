package plugins_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// Arguments that a guest of bad will would try; those above them are bytes of the script's data.
var hostileArguments = []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 65, 255, 256, 257, 4096, -1, math.MinInt64, math.MaxInt64, math.MaxInt32, math.MinInt32,
	loadedAt, loadedAt + 1, dataAt - 1, memorySize - 1, memorySize, memorySize + 1, 0xfffffff0, 0xffffffff, 1 << 32, -8}

// hostileScript reads calls out of bytes: how many, five bytes for each, and behind them what they refer to.
func hostileScript(b []byte) *script {
	s := &script{}
	if len(b) == 0 {
		return s
	}
	n := int(b[0] % 32)
	b = b[1:]
	for ; n > 0 && len(b) >= 5; n-- {
		var arguments [4]int64
		for i, v := range b[1:5] {
			if int(v) < len(hostileArguments) {
				arguments[i] = hostileArguments[v]
			} else if i%2 == 0 {
				arguments[i] = dataAt + int64(v) - int64(len(hostileArguments))
			} else {
				arguments[i] = int64(v) - int64(len(hostileArguments))
			}
		}
		fn := int64(b[0] % (fnFail + 2))
		if fn > fnFail {
			fn = fnReturn
		}
		s.do(fn, arguments[:]...)
		if b = b[5:]; fn == fnReturn {
			break
		}
	}
	s.text(string(b[:min(len(b), 4096)]))
	return s
}

// FuzzImports lets a guest make any calls of any imports with any arguments. Whatever it does, the call has one of the outcomes, and what it wants done
// keeps to its limits and to what can be sent and stored.
func FuzzImports(f *testing.F) {
	host := plugins.NewHost(plugins.HostOptions{Logger: zerolog.Nop(), State: &plugins.MemoryState{}, NodeInfo: func() []byte { return []byte(`{"node":"n"}`) }})
	f.Cleanup(func() {
		if err := host.Close(context.Background()); err != nil {
			f.Error(err)
		}
	})
	c := fixture("probe")
	c.Allow.Emit = []string{"out", "a"}
	c.Limits = plugins.Limits{Timeout: patience, Emits: 8, Effects: 64 << 10, Key: 32, Value: 256, Log: 512}
	p, err := host.Load(context.Background(), c)
	if err != nil {
		f.Fatal(err)
	}
	for fn := byte(0); fn <= fnFail+1; fn++ {
		f.Add(false, []byte{3, fn, 31, 32, 31, 33, fn, 0, 31, 35, 40, fn, 31, 34, 200, 32, 'a', 'b', 'c', 'o', 'u', 't', 0xff, 'a'})
		f.Add(true, []byte{2, fn, 28, 29, 28, 29, fn, 1, 24, 24, 24, 'a'})
	}
	f.Fuzz(func(t *testing.T, handle bool, b []byte) {
		m := hostileScript(b).message()
		call := p.Filter
		if handle {
			call = p.Handle
		}
		o := call(t.Context(), &m)
		legalOutcome(t, &o, &c)
		o.Release()
		o.Settle(errors.New("nothing is kept")) // so that every case begins with no keys
		if o.Verdict == plugins.Fault {         // else it would be suspended
			calm := (&script{}).message()
			if o := p.Filter(t.Context(), &calm); o.Verdict != plugins.Pass {
				t.Fatalf("after a fault (%s) a guest that does nothing ends with %s: %s", o.Reason, o.Verdict, o.Reason)
			} else {
				o.Release()
				o.Settle(nil)
			}
		}
	})
}

func legalOutcome(t *testing.T, o *plugins.Outcome, c *plugins.Config) {
	t.Helper()
	switch o.Verdict {
	case plugins.Pass, plugins.Drop, plugins.Retry, plugins.Dead, plugins.Fault:
	default:
		t.Errorf("verdict %v", o.Verdict)
	}
	if !utf8.ValidString(o.Reason) || o.RetryAfter < 0 {
		t.Errorf("reason %q, again after %v", o.Reason, o.RetryAfter)
	}
	if o.Verdict != plugins.Pass && o.Verdict != plugins.Drop && !o.Effects.Empty() {
		t.Errorf("%s with effects", o.Verdict)
	}
	size := int64(0)
	for _, e := range o.Effects.Emits {
		size += int64(len(e.Body))
		if e.Channel != "out" && e.Channel != "a" || e.TTL < 0 || e.Delay < 0 {
			t.Errorf("emits on %q, lives %v, waits %v", e.Channel, e.TTL, e.Delay)
		}
		legalHeaders(t, e.Headers)
	}
	keys := map[string]bool{}
	for _, s := range o.Effects.State {
		size += int64(len(s.Value))
		if len(s.Key) < 1 || len(s.Key) > c.Limits.Key || len(s.Value) > c.Limits.Value || keys[string(s.Key)] {
			t.Errorf("key %q of %d bytes, which is there before: %v", s.Key, len(s.Value), keys[string(s.Key)])
		}
		keys[string(s.Key)] = true
	}
	if len(o.Effects.Emits) > c.Limits.Emits || size > c.Limits.Effects {
		t.Errorf("%d emits, %d bytes", len(o.Effects.Emits), size)
	}
	if o.Verdict == plugins.Pass && o.Channel != "" && !abi.ValidChannel(o.Channel) {
		t.Errorf("redirected to %q", o.Channel)
	}
	legalHeaders(t, o.Headers)
}

func legalHeaders(t *testing.T, headers []plugins.Header) {
	t.Helper()
	for _, h := range headers {
		if !abi.ValidHeaderName([]byte(h.Name)) {
			t.Errorf("header %q: %q", h.Name, h.Value)
		}
	}
}
