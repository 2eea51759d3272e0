package meter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// world is a runtime in which modules run either as they are or rewritten.
type world struct {
	runtime   wazero.Runtime
	rewritten bool
}

// testPages bounds the memory of guests in tests.
const testPages = 1024

func newWorld(t testing.TB, rewritten bool) *world {
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(testPages)
	w := &world{runtime: wazero.NewRuntimeWithConfig(context.Background(), config), rewritten: rewritten}
	t.Cleanup(func() { w.runtime.Close(context.Background()) })
	return w
}

// start instantiates a module, of which meter said what it said, and runs its start function.
func (w *world) start(wasm []byte, m meter.Module, name string) (api.Module, error) {
	ctx := context.Background()
	if w.rewritten {
		wasm = m.Bytes
	}
	config := wazero.NewModuleConfig().WithName(name).WithStartFunctions()
	compiled, err := w.runtime.CompileModule(ctx, wasm)
	if err != nil {
		return nil, err
	}
	mod, err := w.runtime.InstantiateModule(ctx, compiled, config)
	if err == nil && w.rewritten && m.Start {
		if _, err = mod.ExportedFunction(meter.StartExport).Call(ctx); err != nil {
			mod.Close(ctx)
		}
	}
	return mod, err
}

// ending is how a call ended, without the trace.
func ending(results []uint64, err error) string {
	if err == nil {
		return fmt.Sprintf("%x", results)
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// both runs a call in two modules and says how each ended.
func both(a, b api.Module, name string, arguments []uint64) (inA, inB string) {
	one := func(m api.Module) string {
		f := m.ExportedFunction(name)
		if f == nil {
			return "no such function"
		}
		return ending(f.Call(context.Background(), arguments...))
	}
	return one(a), one(b)
}

// state is what can be seen of a module from outside.
func state(m api.Module) string {
	mem := m.Memory()
	if mem == nil {
		return "no memory"
	}
	b, _ := mem.Read(0, mem.Size())
	hash := uint64(14695981039346656037)
	for _, c := range b {
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	return fmt.Sprintf("%d bytes, %x", mem.Size(), hash)
}

func refusedFor(err error, kinds ...error) bool {
	for _, k := range kinds {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
