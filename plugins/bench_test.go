package plugins_test

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// bare is a guest in wazero as it comes: no time limit, imports that do the least they can.
func bare(b *testing.B, file string, body []byte) func() {
	b.Helper()
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	b.Cleanup(func() { r.Close(ctx) })
	i := api.ValueTypeI32
	four := []api.ValueType{i, i, i, i}
	var emitted []byte
	_, err := r.NewHostModuleBuilder("rmds1").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, s []uint64) {
		buf, _ := m.Memory().Read(uint32(s[2]), uint32(len(body)))
		copy(buf, body)
		s[0] = uint64(len(body))
	}), four, []api.ValueType{i}).Export("read").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, s []uint64) {
		buf, _ := m.Memory().Read(uint32(s[2]), uint32(s[3]))
		emitted = append(emitted[:0], buf...)
		s[0] = 0
	}), four, []api.ValueType{i}).Export("emit").Instantiate(ctx)
	if err != nil {
		b.Fatal(err)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	guest, err := r.Instantiate(ctx, module)
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

func benchmarkHandle(b *testing.B, name string, size int) {
	body := bytes.Repeat([]byte("abcdefgh"), size/8)
	host := plugins.NewHost(plugins.HostOptions{})
	defer host.Close(context.Background())
	c := fixture(name)
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

func BenchmarkEmptyHandler(b *testing.B)   { benchmarkHandle(b, "empty", 256) }
func BenchmarkReadChangeEmit(b *testing.B) { benchmarkHandle(b, "change", 256) }
