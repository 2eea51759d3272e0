package meter_test

import (
	"context"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// BenchmarkCost runs functions rewritten, and reports the ratio to what they take as they are.
func BenchmarkCost(b *testing.B) {
	// f() does something 256 times: adds up bytes, or calls a function.
	times256 := func(work ...byte) []byte {
		loop := cat([]byte{0x41, 0x80, 2, 0x21, 0, 3, 0x40}, work, []byte{0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b})
		return module(section(1, vec([]byte{0x60, 0, 0})), section(3, many(2, 0)), section(5, vec([]byte{0, 1})), section(7, vec(cat(text("f"), []byte{0, 0}))),
			section(10, vec(body(vec([]byte{2, 0x7f}), loop), body(noLocals, []byte{0x41, 0, 0x41, 1, 0x36, 2, 0}))))
	}
	for _, c := range []struct {
		name string
		wasm []byte
	}{
		{"empty", oneFunction(body(noLocals))},
		{"bytes", times256(0x20, 1, 0x20, 0, 0x2d, 0, 0, 0x6a, 0x21, 1)},
		{"calls", times256(0x10, 1)},
		{"copies", times256(0x41, 0, 0x41, 0x80, 8, 0x41, 0xc0, 0, 0xfc, 10, 0, 0)},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := meter.Rewrite(c.wasm)
			if err != nil {
				b.Fatal(err)
			}
			run := func(rewritten bool) func() {
				mod, err := newWorld(b, rewritten).start(c.wasm, m, "")
				if err != nil {
					b.Fatal(err)
				}
				f, stack, ctx := mod.ExportedFunction("f"), make([]uint64, 1), context.Background()
				return func() {
					if err := f.CallWithStack(ctx, stack); err != nil {
						b.Fatal(err)
					}
				}
			}
			plain, rewritten := run(false), run(true)
			began, n := time.Now(), 0
			for time.Since(began) < 100*time.Millisecond {
				for range 100 {
					plain()
				}
				n += 100
			}
			peer := float64(time.Since(began).Nanoseconds()) / float64(n)
			for b.Loop() {
				rewritten()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/peer, "x-plain")
		})
	}
}
