package meter_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// FuzzRewrite takes any bytes: they are refused for one of the four reasons, or what comes out compiles exactly if what went in does.
func FuzzRewrite(f *testing.F) {
	for name, wasm := range fixtures(f) {
		if len(wasm) < 4096 {
			f.Add(wasm)
		} else {
			f.Logf("%s is not a seed, being large", name)
		}
	}
	ctx := context.Background()
	compiles := func(t *testing.T, wasm []byte) error {
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(16))
		defer r.Close(ctx)
		_, err := r.CompileModule(ctx, wasm)
		return err
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		m, err := meter.Rewrite(wasm)
		if err != nil {
			if !refusedFor(err, meter.ErrNotWasm, meter.ErrMalformed, meter.ErrBounds, meter.ErrUnsupported) {
				t.Error(err)
			}
			return
		}
		if again, err := meter.Rewrite(wasm); err != nil || string(again.Bytes) != string(m.Bytes) {
			t.Error("a second time gives another result")
		}
		plain, rewritten := compiles(t, wasm), compiles(t, m.Bytes)
		if (plain == nil) == (rewritten == nil) {
			return
		}
		// The engine refuses modules for what is wrong with their custom sections, which do not matter and are gone.
		if plain == nil || !(strings.Contains(plain.Error(), "section custom") || strings.Contains(plain.Error(), "custom section")) {
			t.Errorf("plain: %v\nrewritten: %v\n%x", plain, rewritten, wasm)
		}
	})
}
