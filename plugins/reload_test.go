package plugins_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// replace puts a module in a plugin's file, as an editor or a copy would.
func replace(t *testing.T, file, with string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", with+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	next := file + ".next"
	if err := errors.Join(os.WriteFile(next, b, 0o600), os.Rename(next, file)); err != nil {
		t.Fatal(err)
	}
}

// reloadable is a plugin whose file may be replaced.
func reloadable(t *testing.T, h *pluginstest.Harness, module string) (*plugins.Plugin, string) {
	t.Helper()
	c := fixture(module)
	c.File = filepath.Join(t.TempDir(), "plugin.wasm")
	c.Limits.Timeout = 10 * time.Second
	replace(t, c.File, module)
	return h.Load(t, c), c.File
}

// TestReloadUnderLoad swaps two versions of a counter while messages go through it: every one is counted once, whichever version takes it.
func TestReloadUnderLoad(t *testing.T) {
	const swaps, senders = 30, 4
	h := pluginstest.New(t)
	p, file := reloadable(t, h, "counter")
	var group sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	seen, calls := map[int64]int{}, int64(0)
	for range senders {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				o := h.Run(p, pluginstest.Bodies("x")...)[0]
				if o.Verdict != plugins.Ack || len(o.Effects.Emits) != 1 {
					t.Errorf("%s: %s", o.Verdict, o.Reason)
					return
				}
				mu.Lock()
				seen[int64(binary.LittleEndian.Uint64(o.Effects.Emits[0].Body))]++
				calls++
				mu.Unlock()
			}
		})
	}
	for i := range swaps {
		replace(t, file, []string{"counter2", "counter"}[i%2])
		if changed, err := p.Reload(t.Context()); !changed || err != nil {
			t.Errorf("reload %d: %v, %v", i, changed, err)
		}
	}
	close(stop)
	group.Wait()
	for n := int64(1); n <= calls; n++ {
		if seen[n] != 1 {
			t.Fatalf("count %d of %d came %d times", n, calls, seen[n])
		}
	}
	if e := p.Edition(); e.Number != swaps+1 || calls == 0 {
		t.Errorf("edition %d after %d calls", e.Number, calls)
	}
}

// TestBadReload holds that whatever is wrong with a new version, the old one runs on.
func TestBadReload(t *testing.T) {
	h := pluginstest.New(t)
	p, file := reloadable(t, h, "counter")
	before := p.Edition()
	for _, c := range []struct {
		module, text string
		kind         error
	}{
		{"no_exports", "exports none of", plugins.ErrContract},
		{"refuse", "rmds_init refused", plugins.ErrStart},
		{"trap_start", "does not start", plugins.ErrStart},
		{"unknown_import", "imports rmds1.", plugins.ErrContract},
	} {
		replace(t, file, c.module)
		changed, err := p.Reload(t.Context())
		if changed || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, %v", c.module, changed, err)
		}
		if p.Edition() != before {
			t.Errorf("%s: edition %+v", c.module, p.Edition())
		}
		if o := h.Run(p, pluginstest.Bodies("x")...)[0]; o.Verdict != plugins.Ack {
			t.Errorf("%s: the old one says %s, %s", c.module, o.Verdict, o.Reason)
		}
	}
	if err := os.WriteFile(file, []byte("\x00asm, but not more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Reload(t.Context()); !errors.Is(err, plugins.ErrModule) {
		t.Errorf("a broken file: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Reload(t.Context()); !errors.Is(err, plugins.ErrFile) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReloadKeepsWhatIsInUse(t *testing.T) {
	h := pluginstest.New(t)
	p, file := reloadable(t, h, "verdict") // a filter and a handler
	replace(t, file, "counter")            // a handler
	if _, err := p.Reload(t.Context()); !errors.Is(err, plugins.ErrContract) || !strings.Contains(err.Error(), "the new version lacks rmds_filter") {
		t.Error(err)
	}
}

func TestReloadOfTheSameFile(t *testing.T) {
	h := pluginstest.New(t)
	p, _ := reloadable(t, h, "counter")
	if changed, err := p.Reload(t.Context()); changed || err != nil || p.Edition().Number != 1 {
		t.Errorf("%v, %v, %+v", changed, err, p.Edition())
	}
	p.Close(t.Context())
}

// TestAThousandReloads holds that nothing of a version stays when the next one is at work.
func TestAThousandReloads(t *testing.T) {
	h := pluginstest.New(t)
	p, file := reloadable(t, h, "counter")
	reload := func(n int) {
		for i := range n {
			replace(t, file, []string{"counter2", "counter"}[i%2])
			if _, err := p.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.Run(p, pluginstest.Bodies("x")...)
		}
	}
	reload(100)
	goroutines, memory := runtime.NumGoroutine(), inUse()
	reload(1000)
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("goroutines: %d before, %d after", goroutines, n)
	}
	if after := inUse(); after > memory+8<<20 {
		t.Errorf("memory: %d KiB before, %d KiB after", memory>>10, after>>10)
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what the first one's finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
