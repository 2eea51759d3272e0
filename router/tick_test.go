package router

import (
	"fmt"
	"strings"
	"testing"
)

// TestTicksCountOnceBesideMessages lets a plugin count messages and ticks under one key, over a restart, while a part of the ticks fail: what was counted equals what was
// emitted, and what failed has left nothing.
func TestTicksCountOnceBesideMessages(t *testing.T) {
	f := newFolder(t)
	text := `
delivery: {retry_interval: 5ms, max_retry_attempts: 1000}
plugins:
  - {name: p, file: WASM/ticking.wasm, tick: 3ms, allow: {emit: [out], kv: true}, limits: {timeout: 10s}}
channels:
  - {name: in, own: true, consumer: p}
  - {name: out, own: true, consumer: none}
`
	sent := int64(0)
	for range 2 {
		r := f.start(text)
		before := counter(t, r, "p", "t")
		eventually(t, func() (bool, string) {
			send(t, r, "in", "x")
			sent++
			p := r.Status().Plugins[0]
			return p.Faults > 2 && p.Verdicts["retry"] > 2 && counter(t, r, "p", "t") > before+10, fmt.Sprintf("%+v", p)
		})
		closeRouter(t, r)
	}
	if log := f.log.String(); !strings.Contains(log, "a tick failed; its effects are discarded") || !strings.Contains(log, "wasm error: unreachable") {
		t.Error("the log lacks the ticks that failed")
	}
	r := f.start(strings.Replace(text, "tick: 3ms, ", "", 1))
	account(t, r, "in", sent)
	ticks, n := counter(t, r, "p", "t"), counter(t, r, "p", "n")
	if n != sent+ticks {
		t.Errorf("counted %d: %d messages and %d ticks", n, sent, ticks)
	}
	account(t, r, "out", n)
}
