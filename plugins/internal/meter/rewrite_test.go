package meter_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// fixtures are the modules of the plugin host's tests.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../testdata/*.wasm")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	all := make(map[string][]byte)
	for _, file := range files {
		if all[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestNames keeps the names of functions, and nothing else of custom sections.
func TestNames(t *testing.T) {
	functionNames := section(1, vec(cat([]byte{0}, text("spin"))))
	trapping := oneFunction(body(noLocals, []byte{0}))
	for _, c := range []struct {
		name, want string
		sections   []byte
	}{
		{"none", "$0", nil},
		{"names", "spin", section(0, cat(text("name"), section(0, text("m")), functionNames, section(2, many(0))))},
		{"debug data", "$0", section(0, cat(text(".debug_info"), functionNames))},
		{"a name of an added function", "$0", section(0, cat(text("name"), section(1, vec(cat([]byte{1}, text("x"))))))},
		{"names out of order", "$0", section(0, cat(text("name"), section(1, vec(cat([]byte{0}, text("x")), cat([]byte{0}, text("y"))))))},
		{"four billion names", "$0", section(0, cat(text("name"), section(1, leb(1<<32-1))))},
		{"a name that is not UTF-8", "$0", section(0, cat(text("name"), section(1, vec([]byte{0, 1, 0xff}))))},
		{"cut", "$0", section(0, cat(text("name"), []byte{1, 9}))},
	} {
		wasm := cat(trapping, c.sections)
		m, err := meter.Rewrite(wasm)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		mod, err := newWorld(t, true).start(wasm, m, "")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if _, err = mod.ExportedFunction("f").Call(context.Background()); err == nil || !strings.Contains(err.Error(), "\t."+c.want+"()") {
			t.Errorf("%s: %v, want %s in it", c.name, err, c.want)
		}
	}
}

// TestStop ends guests of every endless kind by their stop global, which is what a host has to stop them by.
func TestStop(t *testing.T) {
	loop := []byte{3, 0x40, 0x0c, 0, 0x0b}
	for name, wasm := range map[string][]byte{
		"loop":             oneFunction(body(noLocals, loop)),
		"loop in dead end": oneFunction(body(noLocals, []byte{2, 0x40, 3, 0x40, 0x41, 1, 0x0d, 0, 0x0c, 1, 0x0b, 0x0b})),
		"loop by br_table": oneFunction(body(noLocals, []byte{3, 0x40, 0x41, 0, 0x0e, 1, 0, 0, 0x0b})),
		"many loops":       oneFunction(body(noLocals, repeat(60, 3, 0x40), []byte{0x0c, 30}, repeat(60, 0x0b))),
		"recursion":        oneFunction(body(noLocals, []byte{0x10, 0, 0x10, 0})),
	} {
		m, err := meter.Rewrite(wasm)
		if err != nil {
			t.Fatal(err)
		}
		mod, err := newWorld(t, true).start(wasm, m, "")
		if err != nil {
			t.Fatal(err)
		}
		mod.ExportedGlobal(meter.StopGlobal).(api.MutableGlobal).Set(1)
		began := time.Now()
		_, err = mod.ExportedFunction("f").Call(context.Background())
		if err == nil || !strings.Contains(err.Error(), "unreachable") || time.Since(began) > 30*time.Second {
			t.Errorf("%s: %v after %s", name, err, time.Since(began))
		}
	}
}

// TestTablesAreBounded grows a table that says nothing about its size.
func TestTablesAreBounded(t *testing.T) {
	// f() = table.grow(null, n)
	wasm := func(n uint64) []byte {
		return module(section(1, vec([]byte{0x60, 0, 1, 0x7f})), section(3, vec([]byte{0})), section(4, vec([]byte{0x70, 0, 1})),
			section(7, vec(cat(text("f"), []byte{0, 0}))), section(10, vec(body(noLocals, []byte{0xd0, 0x70, 0x41}, leb(n), []byte{0xfc, 15, 0}))))
	}
	for n, want := range map[uint64]uint64{99_999: 1, 200_000: 1<<32 - 1} {
		m, err := meter.Rewrite(wasm(n))
		if err != nil {
			t.Fatal(err)
		}
		mod, err := newWorld(t, true).start(nil, m, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := mod.ExportedFunction("f").Call(context.Background()); err != nil || got[0] != want {
			t.Errorf("grow by %d: %d, %v", n, got, err)
		}
	}
}

// TestCollectorGetsItsTurn runs an endless loop over a body as long as it may be, of slow instructions, which are what a check stands for.
func TestCollectorGetsItsTurn(t *testing.T) {
	slow := repeat(28_000, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f) // square roots
	wasm := oneFunction(body(vec([]byte{1, 0x7c}), []byte{3, 0x40, 0x20, 0}, slow, []byte{0x21, 0, 0x0c, 0, 0x0b}))
	m, err := meter.Rewrite(wasm)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := newWorld(t, true).start(wasm, m, "")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := mod.ExportedFunction("f").Call(context.Background())
		done <- err
	}()
	for range 5 {
		began := time.Now()
		runtime.GC()
		if took := time.Since(began); took > 30*time.Second { // on a slow, busy machine
			t.Errorf("a collection took %s", took)
		}
	}
	mod.ExportedGlobal(meter.StopGlobal).(api.MutableGlobal).Set(1)
	if err := <-done; err == nil {
		t.Error("the loop ended by itself")
	}
}
