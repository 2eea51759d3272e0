package plugins_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// TestGoBuiltAsAProgram holds that a plugin in Go that was built as a program is refused with what to do.
func TestGoBuiltAsAProgram(t *testing.T) {
	c := fixture("gosdk")
	c.File = filepath.Join(t.TempDir(), "gosdk.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", c.File, "./testdata/gosdk")
	build.Env = append(build.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = "exports no _initialize, without which its functions cannot be called: build it with -buildmode=c-shared"
	if _, err := pluginstest.New(t).Host.Load(t.Context(), c); !errors.Is(err, plugins.ErrContract) || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	if info, err := plugins.Inspect(t.Context(), c.File); err != nil || !strings.Contains(info.Problem, want) {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestGoFaults lets a plugin in Go fail in every way: the reason names file and line where the program itself can tell.
func TestGoFaults(t *testing.T) {
	c := fixture("gosdk")
	c.File, c.Limits.Timeout = filepath.Join(t.TempDir(), "gosdk.wasm"), 3*time.Second
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", c.File, "./testdata/gosdk")
	build.Env = append(build.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h := pluginstest.New(t)
	p := h.Load(t, c)
	if p.Kind() != plugins.Handles {
		t.Errorf("kind %s: it offers what it does not register", p.Kind())
	}
	for _, c := range []struct {
		body, reason string
		discards     uint64
	}{
		{"panic", "panic: on purpose at main.go:10 (returned 101, which is no verdict here)", 0},
		{"index", "panic: runtime error: index out of range [5] with length 0 at main.go:12", 0},
		{"exhaust", "wasm error: unreachable", 1},
		{"spin", "out of time", 1},
	} {
		before := p.Stats().Discarded
		o := h.Run(p, pluginstest.Bodies(c.body)...)[0]
		if o.Verdict != plugins.Fault || !strings.Contains(o.Reason, c.reason) || p.Stats().Discarded-before != c.discards {
			t.Errorf("%s: %s, %q, %d discarded", c.body, o.Verdict, o.Reason, p.Stats().Discarded-before)
		}
	}
	if !strings.Contains(h.Log.String(), "out of memory") {
		t.Error("the log lacks what Go says on its standard error")
	}
}
