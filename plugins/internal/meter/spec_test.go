package meter_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// specFolder is where the engine's source keeps the core specification's tests.
func specFolder(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	if _, statErr := os.Stat(dir); err != nil || statErr != nil {
		text := "the specification's tests are missing; get them with: go mod download github.com/tetratelabs/wazero"
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	return dir
}

// script is one file of the specification's tests.
type script struct {
	Commands []struct {
		Type       string
		Line       int
		Name, As   string
		Filename   string
		ModuleType string `json:"module_type"`
		Action     struct {
			Type, Field, Module string
			Args                []value
		}
	}
}

type value struct {
	Type  string
	Lane  string `json:"lane_type"`
	Value any
}

// specCounts are over all files.
type specCounts struct {
	modules, refused, calls, skipped, invalid int
}

// TestCoreSpecification runs the core specification's tests, versions 1 and 2, in rewritten modules and in plain ones: both have to come to the same.
func TestCoreSpecification(t *testing.T) {
	dir := specFolder(t)
	spectest, err := os.ReadFile(filepath.Join(dir, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	var total specCounts
	for _, version := range []string{"v1", "v2"} {
		folder := filepath.Join(dir, version, "testdata")
		files, err := filepath.Glob(filepath.Join(folder, "*.json"))
		if err != nil || len(files) < 50 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, file := range files {
			t.Run(version+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
				runScript(t, folder, file, spectest, &total)
			})
		}
	}
	t.Logf("core specification: %d modules and %d calls agree, rewritten and plain; %d malformed or invalid modules are refused; left out: %d modules that guests may not be, %d calls into them",
		total.modules, total.calls, total.invalid, total.refused, total.skipped)
	if total.modules < 1000 || total.calls < 40_000 || total.invalid < 1000 {
		t.Error("that is fewer than there are")
	}
}

// pair is a module in both worlds; nil if it is left out.
type pair struct{ plain, rewritten api.Module }

type scriptRun struct {
	t                *testing.T
	plain, rewritten *world
	named            map[string]*pair
	last             *pair
	n                *specCounts
}

func runScript(t *testing.T, folder, file string, spectest []byte, n *specCounts) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	run := &scriptRun{t: t, plain: newWorld(t, false), rewritten: newWorld(t, true), named: make(map[string]*pair), n: n}
	for _, w := range []*world{run.plain, run.rewritten} {
		if _, err := w.runtime.Instantiate(t.Context(), spectest); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range s.Commands {
		switch c.Type {
		case "module":
			wasm := readFile(t, filepath.Join(folder, c.Filename))
			as := ""
			if i+1 < len(s.Commands) && s.Commands[i+1].Type == "register" {
				as = s.Commands[i+1].As
			}
			run.module(c.Line, wasm, as)
			run.named[c.Name] = run.last
		case "assert_return", "action", "assert_trap":
			in := run.last
			if c.Action.Module != "" {
				in = run.named[c.Action.Module]
			}
			if c.Action.Type == "invoke" {
				run.call(c.Line, in, c.Action.Field, c.Action.Args)
			}
		case "assert_malformed", "assert_invalid":
			if c.ModuleType != "text" {
				run.mustRefuse(c.Line, readFile(t, filepath.Join(folder, c.Filename)))
			}
		case "assert_unlinkable", "assert_uninstantiable":
			if c.ModuleType != "text" {
				run.module(c.Line, readFile(t, filepath.Join(folder, c.Filename)), "")
				run.last = nil
			}
		}
	}
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (r *scriptRun) module(line int, wasm []byte, as string) {
	r.last = nil
	m, err := meter.Rewrite(wasm)
	if err != nil {
		r.n.refused++
		if !refusedFor(err, meter.ErrUnsupported, meter.ErrBounds) {
			r.t.Errorf("line %d: %v", line, err)
		}
		return
	}
	plain, plainErr := r.plain.start(wasm, m, as)
	rewritten, err := r.rewritten.start(wasm, m, as)
	if (plainErr == nil) != (err == nil) {
		r.t.Errorf("line %d: plain: %v; rewritten: %v", line, plainErr, err)
	}
	if plainErr != nil || err != nil {
		r.n.refused++ // most import from one that was left out
		return
	}
	r.n.modules++
	r.last = &pair{plain, rewritten}
}

func (r *scriptRun) call(line int, in *pair, name string, values []value) {
	if in == nil {
		r.n.skipped++
		return
	}
	var arguments []uint64
	for _, v := range values {
		arguments = append(arguments, v.bits()...)
	}
	plain, rewritten := both(in.plain, in.rewritten, name, arguments)
	if plain != rewritten {
		r.t.Errorf("line %d: %s%v: plain: %s; rewritten: %s", line, name, arguments, plain, rewritten)
	}
	r.n.calls++
}

// mustRefuse is about modules that must not be accepted; what the engine lets pass as it stands is left out.
func (r *scriptRun) mustRefuse(line int, wasm []byte) {
	if _, err := r.plain.runtime.CompileModule(r.t.Context(), wasm); err == nil {
		return
	}
	m, err := meter.Rewrite(wasm)
	if err == nil {
		_, err = r.rewritten.runtime.CompileModule(r.t.Context(), m.Bytes)
	}
	if err == nil {
		r.t.Errorf("line %d: becomes valid by rewriting: %x", line, wasm)
	}
	r.n.invalid++
}

// bits is a value as calls take it.
func (v value) bits() []uint64 {
	lanes, ok := v.Value.([]any)
	if !ok {
		return []uint64{number(v.Type, v.Value)}
	}
	var out [2]uint64
	width := 128 / len(lanes)
	for i, lane := range lanes {
		bits := number(v.Lane, lane)
		if width < 64 {
			bits &= 1<<width - 1
		}
		out[i*width/64] |= bits << (i * width % 64)
	}
	return out[:]
}

func number(kind string, v any) uint64 {
	text, _ := v.(string)
	switch {
	case strings.HasPrefix(text, "nan") && strings.HasSuffix(kind, "32"):
		return 0x7fc00000
	case strings.HasPrefix(text, "nan"):
		return math.Float64bits(math.NaN())
	case strings.HasPrefix(text, "-"):
		n, _ := strconv.ParseInt(text, 10, 64)
		return uint64(n)
	case kind == "externref" && text != "null":
		n, _ := strconv.ParseUint(text, 10, 64)
		return n + 1
	}
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}
