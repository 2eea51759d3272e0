package plugins

import (
	"context"
	"crypto/rand"
	"fmt"
	"unicode/utf16"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/getevo/rmds-router/plugins/internal/abi"
	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// guest is a compiled module in a runtime of its own, because the memory limit is one of the runtime.
type guest struct {
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	config   wazero.ModuleConfig
	hasStart bool // it has a start function, exported as meter.StartExport
}

// compile makes a guest of a rewritten module. With a cache folder, what was compiled before is read from there, and what was not is written.
func compile(ctx context.Context, module meter.Module, memory int64, cacheDir string) (*guest, error) {
	cache, err := openCache(cacheDir)
	if err != nil {
		return nil, err
	}
	config := wazero.NewRuntimeConfig().
		WithMemoryLimitPages(uint32(memory / page)).
		WithCompilationCache(cache)
	g := &guest{cache: cache, runtime: wazero.NewRuntimeWithConfig(ctx, config), hasStart: module.Start}
	if g.compiled, err = g.runtime.CompileModule(ctx, module.Bytes); err != nil {
		g.close(ctx)
		return nil, err
	}
	return g, nil
}

func openCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return wazero.NewCompilationCache(), nil
	}
	return wazero.NewCompilationCacheWithDir(dir)
}

// link instantiates the host's modules that the guest imports from, and prepares instantiation.
func (g *guest) link(ctx context.Context) error {
	if err := defineImports(ctx, g.runtime); err != nil {
		return err
	}
	for _, f := range g.compiled.ImportedFunctions() {
		module, _, _ := f.Import()
		if g.runtime.Module(module) != nil {
			continue
		}
		var err error
		switch module {
		case wasi_snapshot_preview1.ModuleName:
			_, err = wasi_snapshot_preview1.Instantiate(ctx, g.runtime)
		case "env":
			err = defineEnv(ctx, g.runtime)
		}
		if err != nil {
			return err
		}
	}
	g.config = wazero.NewModuleConfig().WithName("").WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader)
	return nil
}

// instantiate makes an instance of a guest and runs _initialize. WASI offers clocks, random numbers and output, but neither files, arguments, environment nor sockets.
func (g *guest) instantiate(in *instance) (api.Module, error) {
	config := g.config.WithStdout(&in.out).WithStderr(&in.err).WithNanosleep(in.sleep)
	return g.enter(in, config, abi.ExportInitialize)
}

// enter makes an instance that the time limit can stop, and only then runs the guest's first instructions: the start function and the one
// named, if there is one. The module is nil if there is an error.
func (g *guest) enter(in *instance, config wazero.ModuleConfig, first string) (api.Module, error) {
	mod, err := g.runtime.InstantiateModule(in, g.compiled, config.WithStartFunctions())
	if err != nil {
		return nil, err
	}
	in.arm(mod.ExportedGlobal(meter.StopGlobal).(api.MutableGlobal))
	names := []string{meter.StartExport, first}
	if !g.hasStart {
		names = names[1:]
	}
	for _, name := range names {
		f := mod.ExportedFunction(name)
		if f == nil {
			continue
		}
		if _, err := f.Call(in); err != nil {
			mod.Close(context.WithoutCancel(in))
			if name == meter.StartExport {
				name = "start function"
			}
			return nil, fmt.Errorf("%s failed: %w", name, err)
		}
	}
	return mod, nil
}

// close frees the runtime; no call may be in it.
func (g *guest) close(ctx context.Context) {
	g.runtime.Close(ctx)
	g.cache.Close(ctx)
}

// defineEnv offers env.abort, which programs compiled by AssemblyScript call when they fail: pointers to a message and a file name,
// both UTF-16 with their length in bytes in the four bytes before, a line and a column.
func defineEnv(ctx context.Context, r wazero.Runtime) error {
	_, err := r.NewHostModuleBuilder("env").NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, s []uint64) {
			message, file := utf16At(mod.Memory(), uint32(s[0])), utf16At(mod.Memory(), uint32(s[1]))
			panic(aborted{fmt.Sprintf("aborted: %s at %s:%d:%d", message, file, uint32(s[2]), uint32(s[3]))})
		}), letterTypes("iiii"), nil).Export("abort").Instantiate(ctx)
	return err
}

// utf16At reads a string of at most 256 units; anything unreadable gives an empty one.
func utf16At(m api.Memory, p uint32) string {
	if p < 4 {
		return ""
	}
	n, ok := m.ReadUint32Le(p - 4)
	b, readable := m.Read(p, min(n, 512)&^1)
	if !ok || !readable {
		return ""
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return string(utf16.Decode(units))
}
