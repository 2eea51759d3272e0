package plugins_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// bare is a guest in wazero as it comes: no time limit, and imports that do the least which gives the same effect: the body is copied in, the
// emit is checked against the memory and copied out into memory of its own.
func bare(b *testing.B, file string, body []byte) func() {
	b.Helper()
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	b.Cleanup(func() { r.Close(ctx) })
	i := api.ValueTypeI32
	four := []api.ValueType{i, i, i, i}
	emitted := make([][]byte, 2)
	_, err := r.NewHostModuleBuilder("rmds1").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, s []uint64) {
		buf, _ := m.Memory().Read(uint32(s[2]), uint32(s[3]))
		copy(buf, body)
		s[0] = uint64(len(body))
	}), four, []api.ValueType{i}).Export("read").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, s []uint64) {
		channel, _ := m.Memory().Read(uint32(s[0]), uint32(s[1]))
		body, _ := m.Memory().Read(uint32(s[2]), uint32(s[3]))
		emitted[0], emitted[1] = bytes.Clone(channel), bytes.Clone(body)
		s[0] = 0
	}), four, []api.ValueType{i}).Export("emit").Instantiate(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		b.Fatal(err)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	guest, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		b.Fatal(err)
	}
	f, stack := guest.ExportedFunction("rmds_handle"), make([]uint64, 1)
	return func() {
		stack[0] = uint64(len(body))
		if err := f.CallWithStack(ctx, stack); err != nil || stack[0] != 0 {
			b.Fatal(err, stack[0])
		}
	}
}

// perCall is the time of one call, taken over many.
func perCall(f func()) time.Duration {
	const calls = 20_000
	for range calls / 10 {
		f()
	}
	began := time.Now()
	for range calls {
		f()
	}
	return time.Since(began) / calls
}

func benchmarkHandle(b *testing.B, c plugins.Config, size int) {
	body := bytes.Repeat([]byte("abcdefgh"), size/8)
	host := plugins.NewHost(plugins.HostOptions{})
	defer host.Close(context.Background())
	p, err := host.Load(context.Background(), c)
	if err != nil {
		b.Fatal(err)
	}
	message := &plugins.Message{Body: body, Channel: "in", Attempt: 1}
	ctx := context.Background()
	peer := perCall(bare(b, c.File, body))
	b.ReportAllocs()
	for b.Loop() {
		o := p.Handle(ctx, message)
		if o.Verdict != plugins.Ack {
			b.Fatal(o.Verdict, o.Reason)
		}
		o.Release()
		o.Settle(nil)
	}
	b.ReportMetric(float64(peer.Nanoseconds()), "bare-ns/op")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(peer.Nanoseconds()), "x-bare")
}

func BenchmarkEmptyHandler(b *testing.B) {
	c := fixture("empty")
	b.Run("keys", func(b *testing.B) { benchmarkHandle(b, c, 256) })
	c.Allow.KV = false
	b.Run("stateless", func(b *testing.B) { benchmarkHandle(b, c, 256) })
}

// guests are the commands that build the benchmark's guest, for each language.
func guests(out string) map[string]*exec.Cmd {
	g := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/change_go")
	g.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	asc := "../sdk/assemblyscript/node_modules/.bin/asc"
	if path, err := exec.LookPath("asc"); err == nil {
		asc = path
	}
	return map[string]*exec.Cmd{
		"C":              clang("c", "testdata/change.c", out),
		"Rust":           rustc("--crate-type=cdylib", "-Clinker=wasm-ld-14", "-Clink-arg=-zstack-size=65536", "-Cstrip=symbols", "-o", out, "testdata/change.rs"),
		"AssemblyScript": exec.Command(asc, "testdata/change.ts", "-o", out, "-O3", "--exportStart", "_initialize"),
		"Go":             g,
	}
}

// built is the benchmark's guest in a language whose compiler is here.
func built(b *testing.B, language string) plugins.Config {
	b.Helper()
	c := fixture("change")
	c.Allow.KV = false
	c.File = filepath.Join(b.TempDir(), "change.wasm")
	command := guests(c.File)[language]
	if _, err := exec.LookPath(command.Path); err != nil {
		b.Skipf("no compiler: %v", err)
	}
	if out, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", command, err, out)
	}
	return c
}

func BenchmarkReadChangeEmit(b *testing.B) {
	for _, language := range []string{"C", "Rust", "AssemblyScript", "Go"} {
		b.Run(language, func(b *testing.B) { benchmarkHandle(b, built(b, language), 256) })
	}
}

// BenchmarkLoad loads a plugin that was compiled before, and closes it.
func BenchmarkLoad(b *testing.B) {
	for _, language := range []string{"C", "Go"} {
		b.Run(language, func(b *testing.B) {
			c, ctx := built(b, language), context.Background()
			host := plugins.NewHost(plugins.HostOptions{CacheDir: filepath.Join(b.TempDir(), "cache")})
			defer host.Close(ctx)
			load := func() {
				p, err := host.Load(ctx, c)
				if err != nil {
					b.Fatal(err)
				}
				p.Close(ctx)
			}
			load()
			for b.Loop() {
				load()
			}
		})
	}
}
