package meter_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"pgregory.net/rapid"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// offer instantiates whatever functions a module imports: they give zeros, except that WASI is what it is.
func (w *world) offer(t testing.TB, compiled wazero.CompiledModule) {
	ctx := context.Background()
	builders := make(map[string]wazero.HostModuleBuilder)
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == wasi_snapshot_preview1.ModuleName {
			if w.runtime.Module(module) == nil {
				wasi_snapshot_preview1.MustInstantiate(ctx, w.runtime)
			}
			continue
		}
		if builders[module] == nil {
			builders[module] = w.runtime.NewHostModuleBuilder(module)
		}
		results := len(f.ResultTypes())
		zeros := api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) { clear(stack[:results]) })
		builders[module].NewFunctionBuilder().WithGoModuleFunction(zeros, f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// instance makes an instance of a module with what it imports.
func (w *world) instance(t testing.TB, wasm []byte, m meter.Module) (api.Module, error) {
	compiled, err := w.runtime.CompileModule(context.Background(), wasm)
	if err != nil {
		return nil, err
	}
	w.offer(t, compiled)
	return w.start(wasm, m, "")
}

// agree runs the named functions of a module, plain and rewritten, and compares how each ended and the memory they left.
func agree(t testing.TB, wasm []byte, calls []call) {
	t.Helper()
	m, err := meter.Rewrite(wasm)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := newWorld(t, false).instance(t, wasm, m)
	b, errB := newWorld(t, true).instance(t, wasm, m)
	if ending(nil, errA) != ending(nil, errB) && (errA == nil) != (errB == nil) {
		t.Errorf("start: plain: %v; rewritten: %v", errA, errB)
	}
	if errA != nil || errB != nil {
		return
	}
	for _, c := range calls {
		if a.ExportedFunction(c.name) == nil {
			continue
		}
		if inA, inB := both(a, b, c.name, c.arguments); inA != inB {
			t.Errorf("%s%v: plain: %s; rewritten: %s", c.name, c.arguments, inA, inB)
		}
		if inA, inB := state(a), state(b); inA != inB {
			t.Errorf("%s%v leaves: plain: %s; rewritten: %s", c.name, c.arguments, inA, inB)
		}
	}
}

type call struct {
	name      string
	arguments []uint64
}

// TestFixturesAgree runs the plugin host's fixtures, without those that never end.
func TestFixturesAgree(t *testing.T) {
	n := 0
	for name, wasm := range fixtures(t) {
		if _, err := meter.Rewrite(wasm); err != nil {
			continue // imports a memory
		}
		if strings.HasPrefix(name, "hostile_") {
			continue // as it is, nothing stops it
		}
		switch name {
		case "loop_start.wasm", "big_memory.wasm", "flood.wasm", "gosdk.wasm":
			continue
		}
		n++
		agree(t, wasm, []call{{"_initialize", nil}, {"rmds_handle", []uint64{16}}, {"rmds_filter", []uint64{16}}, {"rmds_health", nil}})
	}
	if n < 15 {
		t.Errorf("only %d fixtures", n)
	}
}

// TestGoGuestAgrees runs a Go program, which is the largest module there is here.
func TestGoGuestAgrees(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", file, "../../testdata/gosdk")
	build.Env = append(build.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := meter.Rewrite(wasm)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes become %d", len(wasm), len(m.Bytes))
	a, err := newWorld(t, false).instance(t, wasm, m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newWorld(t, true).instance(t, wasm, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []call{{"_initialize", nil}, {"rmds_init", nil}, {"rmds_handle", []uint64{0}}, {"rmds_stop", nil}} {
		if a.ExportedFunction(c.name) == nil {
			t.Errorf("%s is missing", c.name)
		}
		if inA, inB := both(a, b, c.name, c.arguments); inA != inB {
			t.Errorf("%s: plain: %s; rewritten: %s", c.name, inA, inB)
		}
	}
}

// TestGeneratedModulesAgree runs modules made at random.
func TestGeneratedModulesAgree(t *testing.T) {
	traps, results := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		wasm := generate(r)
		m, err := meter.Rewrite(wasm)
		if err != nil {
			r.Fatalf("%v\n%x", err, wasm)
		}
		ctx := context.Background()
		var worlds [2]api.Module
		for i := range worlds {
			w := &world{runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(4)), rewritten: i == 1}
			defer w.runtime.Close(ctx)
			if worlds[i], err = w.start(wasm, m, ""); err != nil {
				r.Fatalf("rewritten %v: %v\n%x", w.rewritten, err, wasm)
			}
		}
		for range 3 {
			arguments := []uint64{uint64(rapid.Uint32().Draw(r, "a")), rapid.Uint64().Draw(r, "b")}
			a, b := both(worlds[0], worlds[1], "f", arguments)
			if a != b || state(worlds[0]) != state(worlds[1]) {
				r.Fatalf("f%v: plain: %s, %s; rewritten: %s, %s\n%x", arguments, a, state(worlds[0]), b, state(worlds[1]), wasm)
			}
			if a[0] == 'w' {
				traps++
			} else {
				results++
			}
		}
	})
	if traps == 0 || results == 0 {
		t.Errorf("%d traps and %d results: the generator makes too little of one", traps, results)
	}
}
