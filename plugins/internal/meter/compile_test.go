//go:build !race

package meter_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// TestWorstCompileTimes compiles modules that go as far as the bounds allow.
func TestWorstCompileTimes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of compilation")
	}
	manyLocals := func(n uint64) []byte { return vec(cat(leb(n), []byte{0x7f})) }
	// Each sets a variable in a block of its own, so that it differs from block to block.
	setting := func(blocks, locals int) []byte {
		var o []byte
		for i := range blocks {
			o = append(o, cat([]byte{0x41}, leb(uint64(i%64)), []byte{4, 0x40, 0x41, 1, 0x21}, leb(uint64(i%locals)), []byte{0x0b})...)
		}
		return o
	}
	looping := func(loops, locals int) []byte {
		var o []byte
		for i := range loops {
			o = append(o, cat([]byte{3, 0x40, 0x20}, leb(uint64(i%locals)), []byte{0x41, 1, 0x6a, 0x21}, leb(uint64(i%locals)), []byte{0x20}, leb(uint64((i+1)%locals)), []byte{0x0d, 0, 0x0b})...)
		}
		return o
	}
	nested := func(depth, locals int) []byte {
		var open, shut []byte
		for i := range depth {
			open = append(open, 3, 0x40)
			shut = append(shut, cat([]byte{0x20}, leb(uint64(i%locals)), []byte{0x41, 1, 0x6a, 0x22}, leb(uint64(i%locals)), []byte{0x0d, 0, 0x0b})...)
		}
		return append(open, shut...)
	}
	carrying := cat([]byte{0x60}, many(0), many(500, 0x7f))
	for name, wasm := range map[string][]byte{
		"blocks":      oneFunction(body(manyLocals(100), setting(5000, 100))),
		"locals":      oneFunction(body(manyLocals(2000), setting(250, 2000))),
		"loops":       oneFunction(body(manyLocals(500), looping(1000, 500))),
		"nesting":     oneFunction(body(manyLocals(250), repeat(1990, 2, 0x40), setting(5, 250), repeat(1990, 0x0b))),
		"nest loops":  oneFunction(body(manyLocals(500), bytes.Repeat(nested(64, 500), 15))),
		"targets":     oneFunction(body(noLocals, repeat(1000, 2, 0x40), bytes.Repeat(cat([]byte{0x41, 0, 0x0e}, many(999, 20), []byte{0}), 20), repeat(1000, 0x0b))),
		"straight":    oneFunction(body(noLocals, repeat(65_000, 0x41, 1, 0x1a))),
		"deep stack":  oneFunction(body(noLocals, repeat(65_000, 0x3f, 0), repeat(65_000, 0x1a))),
		"live values": oneFunction(body(noLocals, repeat(65_000, 0x3f, 0), repeat(64_999, 0x6a), []byte{0x1a})),
		"calls":       oneFunction(body(noLocals, repeat(120_000, 0x10, 0))),
		"indirect":    oneFunction(body(noLocals, repeat(50_000, 0x41, 0, 0x11, 0, 0))),
		"memory":      oneFunction(body(noLocals, repeat(30_000, 0x41, 0, 0x28, 2, 0, 0x1a))),
		"bulk":        oneFunction(body(noLocals, repeat(1250, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0))),
		"carried": module(section(1, vec(carrying, []byte{0x60, 0, 0})), section(3, vec([]byte{0}, []byte{1})),
			section(10, vec(body(noLocals, []byte{0}), body(noLocals, bytes.Repeat(cat([]byte{0x10, 0}, repeat(500, 0x1a)), 200))))),
		"functions": module(section(1, vec([]byte{0x60, 0, 0})), section(3, many(50_000, 0)), section(10, many(50_000, 2, 0, 0x0b))),
	} {
		m, err := meter.Rewrite(wasm)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w := newWorld(t, true)
		began := time.Now()
		compiled, err := w.runtime.CompileModule(context.Background(), m.Bytes)
		took := time.Since(began)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compiled.Close(context.Background())
		t.Logf("%-12s %6d KB %s", name, len(wasm)>>10, took.Round(time.Millisecond))
		if took > 20*time.Second {
			t.Errorf("%s: compilation took %s", name, took)
		}
	}
}
