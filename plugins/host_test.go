package plugins_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// fixture is the configuration of a plugin in testdata with every grant.
// patience bounds what these tests wait for, on machines that are busy with other things.
const patience = time.Minute

// fixture is a plugin of testdata, whose calls may take long: whatever a call does, a busy machine may stop it for a while.
func fixture(name string) plugins.Config {
	return plugins.Config{
		Name: name, File: filepath.Join("testdata", name+".wasm"),
		Allow:  plugins.Allow{Emit: []string{"*"}, KV: true, NodeInfo: true},
		Limits: plugins.Limits{Timeout: patience},
	}
}

// served calls a plugin that works but has little time for each call, until a call was not cut off.
func served(t *testing.T, call func() plugins.Outcome) plugins.Outcome {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		o := call()
		if o.Verdict != plugins.Fault || !strings.Contains(o.Reason, "out of time") {
			return o
		}
		if time.Now().After(deadline) {
			t.Fatal("no call is in time")
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kind       error
	}{
		{"no_exports", "exports none of rmds_filter, rmds_handle, rmds_tick; did you mean rmds_handle where it exports rmds_handel?", plugins.ErrContract},
		{"no_memory", `does not export its memory; it must export it as "memory"`, plugins.ErrContract},
		{"own_memory", `uses what the host does not support: imports the memory "env"."memory"`, plugins.ErrModule},
		{"wrong_type", "rmds_handle has type (i64)->i32, want (i32)->i32", plugins.ErrContract},
		{"unknown_import", "imports rmds1.kv_put, which does not exist in rmds1; did you mean kv_set?", plugins.ErrContract},
		{"import_type", "imports rmds1.emit with type (i32,i32,i32,i64)->i32, want (i32,i32,i32,i32)->i32", plugins.ErrContract},
		{"foreign_import", "imports rmds2.emit, but this router speaks contract rmds1: build the plugin for that, or use a router that knows rmds2", plugins.ErrContract},
		{"foreign_module", "imports wasi_unstable.fd_write; the host offers the modules rmds1 and wasi_snapshot_preview1, and env.abort", plugins.ErrContract},
		{"reexport", "rmds_handle is an imported function; it must be one of the module's own", plugins.ErrContract},
		{"big_memory", "section memory: min 512 pages (32 Mi) over limit of 256 pages (16 Mi); raise limits.memory, now 16 MiB", plugins.ErrModule},
		{"trap_start", "does not start: _initialize failed: wasm error: unreachable in $0()", plugins.ErrStart},
		{"refuse", "rmds_init refused with 3: no licence", plugins.ErrStart},
		{"missing", "cannot be opened: no such file or directory", plugins.ErrFile},
	} {
		_, err := pluginstest.New(t).Host.Load(t.Context(), fixture(c.name))
		want := "plugin " + c.name + ": testdata/" + c.name + ".wasm: " + c.text
		if err == nil || err.Error() != want {
			t.Errorf("%s: error is\n  %v\nwant\n  %s", c.name, err, want)
		}
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: error is not %v", c.name, c.kind)
		}
	}
}

func TestLoadRefusesFiles(t *testing.T) {
	for _, c := range []struct {
		name, bytes, text string
	}{
		{"component", "\x00asm\x0d\x00\x01\x00", "is a component"},
		{"text", "(module)", "is not a WebAssembly module"},
		{"empty", "", "is not a WebAssembly module"},
		{"cut", "\x00asm\x01\x00\x00\x00\x01\x7f", "ends in the middle of a section"},
		// A function with 4 G local variables, which would take the compiler's process with it.
		{"locals", "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b", "local variables, at most 2000"},
	} {
		file := filepath.Join(t.TempDir(), c.name+".wasm")
		if err := os.WriteFile(file, []byte(c.bytes), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := pluginstest.New(t).Host.Load(t.Context(), plugins.Config{Name: c.name, File: file})
		if !errors.Is(err, plugins.ErrModule) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", c.name, err, c.text)
		}
	}
}

func TestStartFunctionThatLoops(t *testing.T) {
	c := fixture("loop_start")
	c.Limits.Timeout = time.Millisecond
	_, err := pluginstest.New(t).Host.Load(t.Context(), c)
	if !errors.Is(err, plugins.ErrStart) || !strings.HasSuffix(err.Error(), "does not start: out of time") {
		t.Errorf("error is %v", err)
	}
}

func TestPin(t *testing.T) {
	h, c := pluginstest.New(t), fixture("empty")
	c.SHA256 = strings.Repeat("0", 64)
	_, err := h.Host.Load(t.Context(), c)
	if !errors.Is(err, plugins.ErrPin) {
		t.Fatalf("wrong pin: %v", err)
	}
	_, rest, _ := strings.Cut(err.Error(), "has sha256 ")
	c.SHA256 = strings.ToUpper(rest[:64])
	h.Load(t, c)
}

func TestConfigProblems(t *testing.T) {
	c := plugins.Config{
		Name: "a b", SHA256: "12", Config: []byte("{"), Pool: -1, Tick: -1, OnError: "never", Allow: plugins.Allow{Emit: []string{"x", "a.b"}},
		Limits: plugins.Limits{Memory: 1000, Timeout: -1, Emits: -1, Effects: -1, Key: -1, Value: -1, Log: -1},
	}
	_, err := pluginstest.New(t).Host.Load(t.Context(), c)
	if !errors.Is(err, plugins.ErrConfig) {
		t.Fatalf("error is %v", err)
	}
	for _, path := range []string{
		"name", "file", "sha256", "config", "pool", "tick", "on_error", "allow.emit[1]",
		"limits.memory", "limits.timeout", "limits.emits", "limits.effects", "limits.key", "limits.value", "limits.log",
	} {
		if !strings.Contains(err.Error(), "configuration: "+path+": ") {
			t.Errorf("no problem is reported for %s in: %v", path, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 15 {
		t.Errorf("%d problems are reported, want 15:\n%v", n, err)
	}
	good := plugins.Default()
	good.Name, good.File = "a", "a.wasm"
	if err := good.Validate(); err != nil {
		t.Errorf("the defaults are reported: %v", err)
	}
}

func TestTickNeedsItsExport(t *testing.T) {
	c := fixture("verdict")
	c.Tick = time.Second
	if _, err := pluginstest.New(t).Host.Load(t.Context(), c); !errors.Is(err, plugins.ErrContract) {
		t.Errorf("error is %v", err)
	}
}

func TestCompilationCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	load := func() {
		t.Helper()
		h := plugins.NewHost(plugins.HostOptions{CacheDir: dir})
		p, err := h.Load(t.Context(), fixture("empty"))
		if err != nil {
			t.Fatal(err)
		}
		if o := p.Filter(t.Context(), &plugins.Message{}); o.Verdict != plugins.Pass {
			t.Errorf("verdict %s", o.Verdict)
		}
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	load()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cache holds %v, %v; want one file", files, err)
	}
	load()
	if err := os.WriteFile(files[0], []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	load()
}

func TestCloseHost(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("lifecycle"))
	if err := h.Host.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(h.Log.String(), `"level":"warn","plugin":"lifecycle","message":"stopping"`) {
		t.Errorf("rmds_stop was not called; log: %s", h.Log)
	}
	if o := p.Handle(t.Context(), &plugins.Message{}); o.Verdict != plugins.Retry || o.Reason != "not called: plugin is closed" {
		t.Errorf("after close: %s, %s", o.Verdict, o.Reason)
	}
	if _, err := h.Host.Load(t.Context(), fixture("empty")); !errors.Is(err, plugins.ErrClosed) {
		t.Errorf("load after close: %v", err)
	}
}

func TestCloseEndsCallsWhenItsContextDoes(t *testing.T) {
	h, c := pluginstest.New(t), fixture("verdict")
	c.Limits.Timeout = time.Hour
	p := h.Load(t, c)
	outcome := make(chan plugins.Outcome)
	go func() { outcome <- p.Handle(context.Background(), &pluginstest.Bodies("l")[0]) }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for p.Stats().Instances == 0 {
	}
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	if o := <-outcome; o.Verdict == plugins.Pass {
		t.Errorf("verdict %s", o.Verdict)
	}
}

func TestLifecycle(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, fixture("lifecycle"))
	if p.Kind() != plugins.Handles {
		t.Errorf("kind is %b, want only the handler that it offers", p.Kind())
	}
	if err := p.Health(t.Context()); err != nil {
		t.Errorf("health at the start: %v", err)
	}
	h.Run(p, pluginstest.Bodies("x")...)
	if err := p.Health(t.Context()); !errors.Is(err, plugins.ErrUnhealthy) || !strings.Contains(err.Error(), "stop (rmds_health returned 1)") {
		t.Errorf("health after a message: %v", err)
	}
	for _, line := range []string{
		`{"level":"info","plugin":"lifecycle","message_id":"m","stream":"stdout","message":"one"}`,
		`{"level":"info","plugin":"lifecycle","message_id":"m","stream":"stdout","message":"two"}`,
	} {
		if !strings.Contains(h.Log.String(), line) {
			t.Errorf("log lacks %s:\n%s", line, h.Log)
		}
	}
}
