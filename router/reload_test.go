package router

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getevo/rmds-router/router/admin"
)

// swap puts one of the plugin host's fixtures in place of a plugin's file.
func (f *folder) swap(name, fixture string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join("../plugins/testdata", fixture+".wasm"))
	if err != nil {
		f.t.Fatal(err)
	}
	next := f.file(name + ".next")
	if err := errors.Join(os.WriteFile(next, b, 0o600), os.Rename(next, f.file(name))); err != nil {
		f.t.Fatal(err)
	}
}

const reloading = quick + `
plugins:
  - {name: count, file: DIR/count.wasm, allow: {emit: [out], kv: true}, limits: {timeout: 10s}}
channels:
  - {name: in, own: true, consumer: count}
  - {name: out, own: true, consumer: none}
`

// TestAFileThatChangesIsReloadedUnderLoad replaces a handler's file while messages go through it: none is lost or counted twice.
func TestAFileThatChangesIsReloadedUnderLoad(t *testing.T) {
	f := newFolder(t)
	f.swap("count.wasm", "counter")
	r := f.start(reloading)
	sent := 0
	for i, fixture := range []string{"counter2", "counter", "counter2"} {
		f.swap("count.wasm", fixture)
		eventually(t, func() (bool, string) {
			send(t, r, "in", fmt.Sprint(sent))
			sent++
			p := r.Status().Plugins[0]
			return p.Edition == uint64(i+2), fmt.Sprintf("%+v\n%s", p, f.log.String())
		})
	}
	f.swap("count.wasm", "no_exports")
	eventually(t, func() (bool, string) {
		send(t, r, "in", "x")
		sent++
		p := r.Status().Plugins[0]
		return p.Edition == 4 && strings.Contains(p.State, "a new version was refused: plugin count"), fmt.Sprintf("%+v", p)
	})
	account(t, r, "in", int64(sent))
	account(t, r, "out", int64(sent))
	if n := counter(t, r, "count", "n"); n != int64(sent) {
		t.Errorf("counted %d of %d", n, sent)
	}
	if _, err := r.ReloadPlugin(t.Context(), "count"); !errors.Is(err, admin.ErrReload) {
		t.Errorf("by hand: %v", err)
	}
	f.swap("count.wasm", "counter")
	if result, err := r.ReloadPlugin(t.Context(), "count"); err != nil || result.Plugin.State != "working" {
		t.Errorf("mended: %+v, %v", result, err)
	}
	if _, err := r.ReloadPlugin(t.Context(), "nobody"); !errors.Is(err, admin.ErrNoPlugin) {
		t.Errorf("unknown: %v", err)
	}
}

// TestAKeyChangedByHand holds that the plugin goes on from what an operator wrote, and that it lasts.
func TestAKeyChangedByHand(t *testing.T) {
	f := newFolder(t)
	f.swap("count.wasm", "counter")
	r := f.start(reloading)
	send(t, r, "in", "a", "b")
	account(t, r, "in", 2)
	if err := r.SetPluginState(t.Context(), "count", []byte("n"), []byte{100, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	send(t, r, "in", "c")
	account(t, r, "in", 3)
	if n := counter(t, r, "count", "n"); n != 101 {
		t.Errorf("the count is %d", n)
	}
	if err := r.SetPluginState(t.Context(), "count", []byte("n"), nil); err != nil {
		t.Fatal(err)
	}
	closeRouter(t, r)
	r = f.start(reloading)
	send(t, r, "in", "d")
	account(t, r, "in", 4)
	if n := counter(t, r, "count", "n"); n != 1 {
		t.Errorf("the count is %d after its removal", n)
	}
	if err := r.SetPluginState(t.Context(), "count", make([]byte, 10_000), nil); !errors.Is(err, admin.ErrState) {
		t.Errorf("a long key: %v", err)
	}
	if err := r.SetPluginState(t.Context(), "nobody", []byte("n"), nil); !errors.Is(err, admin.ErrNoPlugin) {
		t.Errorf("unknown: %v", err)
	}
}

// TestReloadsUnderLoadKeepTheOrder replaces a filter that stands on both ways, with four instances, again and again while numbers go through it: all come out, once, in order.
func TestReloadsUnderLoadKeepTheOrder(t *testing.T) {
	f := newFolder(t)
	module, err := os.ReadFile("../plugins/testdata/empty.wasm")
	if err != nil {
		t.Fatal(err)
	}
	version := func(i int) { // the same with a custom section of its own
		next := f.file("f.wasm.next")
		if err := errors.Join(os.WriteFile(next, append(module[:len(module):len(module)], 0, 3, 1, 'v', byte(i)), 0o600), os.Rename(next, f.file("f.wasm"))); err != nil {
			t.Fatal(err)
		}
	}
	version(0)
	r := f.start(`
delivery: {retry_interval: 5ms, max_retry_attempts: 1000}
plugins: [{name: f, file: DIR/f.wasm, pool: 4, limits: {timeout: 10s}}]
channels: [{name: in, own: true, outbound: [f], inbound: [f], consumer: out}]
outputs: [{name: out, type: file, path: DIR/out.txt}]
`)
	const reloads = 40
	stop := make(chan struct{})
	count := make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				count <- n
				return
			default:
			}
			if err := trySend(t, r, "in", fmt.Sprint(n)); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range reloads {
		version(i + 1)
		if _, err := r.ReloadPlugin(t.Context(), "f"); err != nil {
			t.Error(err)
		}
		before := r.Status().Plugins[0].Calls
		eventually(t, func() (bool, string) { // each version serves some
			return r.Status().Plugins[0].Calls > before+2, fmt.Sprint(before)
		})
	}
	close(stop)
	sent := <-count
	account(t, r, "in", int64(sent))
	if p := r.Status().Plugins[0]; p.Edition != reloads+1 || p.Calls != 2*int64(sent) || p.Faults != 0 {
		t.Errorf("%+v, %d sent", p, sent)
	}
	lines := strings.Split(strings.TrimSpace(f.read("out.txt")), "\n")
	if len(lines) != sent {
		t.Errorf("%d of %d came out", len(lines), sent)
	}
	for i, line := range lines {
		if line != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}
