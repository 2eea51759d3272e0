package author_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/router/author"
)

// TestNewFoldersBuildAndPass does for every language what an author does first: make a folder, build it, test it.
func TestNewFoldersBuildAndPass(t *testing.T) {
	for _, language := range author.Languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "my-filter")
			if err := author.Create(dir, language); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			m, err := author.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			err = m.Build(t.Context(), &log)
			if errors.Is(err, author.ErrTool) && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, &log)
			}
			config, err := m.Plugin()
			if err != nil {
				t.Fatal(err)
			}
			config.Limits.Timeout = 5 * time.Second // the machine may be busy
			suite, err := author.ReadSuite(filepath.Join(dir, author.CasesFile))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := suite.Test(t.Context(), config, t.TempDir(), &out); err != nil || !strings.Contains(out.String(), "2 cases passed") {
				t.Errorf("%v\n%s", err, &out)
			}
			inspected(t, m.Module(), language)
			if readme, err := os.ReadFile(filepath.Join(dir, "README.md")); err != nil || strings.Contains(string(readme), "HELPER") || !strings.Contains(string(readme), "json") {
				t.Errorf("the README does not say how JSON is read: %v\n%s", err, readme)
			}
			if err := author.Create(dir, language); !errors.Is(err, author.ErrFolder) {
				t.Errorf("a folder in use is made anew: %v", err)
			}
		})
	}
}

func inspected(t *testing.T, file, language string) {
	t.Helper()
	info, err := plugins.Inspect(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(info.Exports, plugins.Function{Name: "rmds_filter", Type: "(i32)->i32"}) || len(info.SHA256) != 64 || info.Size == 0 ||
		info.Go != (language == "go") || info.Memory == 0 {
		t.Errorf("%+v", info)
	}
	if !slices.ContainsFunc(info.Imports, func(f plugins.Function) bool { return f.Module == "rmds1" && f.Name == "set_header" }) {
		t.Errorf("imports %v", info.Imports)
	}
}

// TestMissingCompilers builds on a machine that has none: one line says what is missing, and the command that installs it.
func TestMissingCompilers(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for language, want := range map[string]string{
		"assemblyscript": "node is not there; install it with: apt-get update && apt-get install -y nodejs npm",
		"c":              "clang-22 is not there; install it with: apt-get update && apt-get install -y clang-22 lld-22",
		"go":             "go is not there; get Go 1.24 or later from https://go.dev/dl",
		"rust":           "install it with: apt-get update && apt-get install -y rustc libstd-rust-dev-wasm32 lld-14",
	} {
		refusesToBuild(t, language, want)
	}
}

// TestMissingLinker has the C compiler, but not what it links with.
func TestMissingLinker(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "clang-22"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", path)
	refusesToBuild(t, "c", "wasm-ld-22 is not there; install it with: apt-get update && apt-get install -y clang-22 lld-22")
}

func refusesToBuild(t *testing.T, language, want string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mine")
	if err := author.Create(dir, language); err != nil {
		t.Fatal(err)
	}
	m, err := author.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Build(t.Context(), io.Discard); !errors.Is(err, author.ErrTool) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v, want one line with %q", language, err, want)
	}
}

// TestAnOlderSDKIsNoted holds that a build uses the SDK that lies in the folder, and says when it is not this program's.
func TestAnOlderSDKIsNoted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mine")
	if err := author.Create(dir, "go"); err != nil {
		t.Fatal(err)
	}
	m, err := author.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	note := func() string {
		t.Helper()
		var log bytes.Buffer
		if err := m.Build(t.Context(), &log); err != nil {
			t.Fatalf("%v\n%s", err, &log)
		}
		first, _, _ := strings.Cut(log.String(), "\n")
		return first
	}
	extra := filepath.Join(dir, "rmds", "mine.go")
	if err := os.WriteFile(extra, []byte("package rmds\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := note(); strings.HasPrefix(got, "note:") {
		t.Errorf("a fresh copy with a file of the author's own: %s", got)
	}
	older := filepath.Join(dir, "rmds", "doc.go")
	if err := os.WriteFile(older, []byte("package rmds\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := note(); !strings.Contains(got, "remove the folder and build again") {
		t.Errorf("an older copy: %s", got)
	}
	if kept, err := os.ReadFile(older); err != nil || string(kept) != "package rmds\n" {
		t.Errorf("the author's copy was changed: %q, %v", kept, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "rmds")); err != nil {
		t.Fatal(err)
	}
	if got := note(); strings.HasPrefix(got, "note:") {
		t.Errorf("a new copy: %s", got)
	}
}

// TestCreateInThisFolder makes a plugin of the empty folder that one stands in.
func TestCreateInThisFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := author.Create(".", "c"); err != nil {
		t.Fatal(err)
	}
	if m, err := author.Open("."); err != nil || m.Name != "here" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	for path, language := range map[string]string{"a.b": "go", "fine": "cobol"} {
		if err := author.Create(filepath.Join(dir, path), language); !errors.Is(err, author.ErrFolder) {
			t.Errorf("%s in %s: %v", path, language, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("something is left behind: %v", entries)
	}
}

// counting builds a handler that counts in a key and emits the count, from text.
func counting(t *testing.T) plugins.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "counter.wasm")
	if out, err := exec.Command("wat2wasm", "testdata/counter.wat", "-o", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s; install it with: apt-get install -y wabt", err, out)
	}
	return plugins.Config{Name: "counter", File: file, Allow: plugins.Allow{Emit: []string{"out"}, KV: true}, Limits: plugins.Limits{Timeout: 5 * time.Second}}
}

// TestCasesTell runs cases that fail on purpose and looks at what is said.
func TestCasesTell(t *testing.T) {
	config := counting(t)
	for _, c := range []struct{ name, cases, want string }{
		{"all well", "kv: {n: 4}\n    steps: [{handle: {body: x}, expect: {emits: [{channel: out, base64: BQAAAAAAAAA=}]}}]\n    kv_after: {n: 5}", "ok    one"},
		{"verdict", "steps: [{handle: {body: x}, expect: {verdict: dead}}]", "step 1: verdict pass, want dead"},
		{"an emit too many", "steps: [{handle: {body: x}}]", "step 1: emit 1 to out is not expected"},
		{"a missing emit", "steps: [{handle: {body: x}, expect: {emits: [{channel: out}, {channel: out}]}}]", "step 1: emit 2 to out is missing"},
		{"channel", "steps: [{handle: {body: x}, expect: {emits: [{channel: in}]}}]", "emit 1: channel out, want in"},
		{"body", "steps: [{handle: {body: x}, expect: {emits: [{channel: out, body: five}]}}]", "emit 1: body\n      - five\n      + \x01"},
		{"json", "steps: [{handle: {json: {a: [1, true, null]}}, expect: {emits: [{channel: out, json: {a: 1}}]}}]", "emit 1: body\n      - {\n      -   \"a\": 1\n      - }\n      + \x01"},
		{"header", "steps: [{handle: {body: x}, expect: {emits: [{channel: out, headers: {a: b}}]}}]", `emit 1: header a is missing, want "b"`},
		{"key", "steps: []\n    kv: {n: 1}\n    kv_after: {n: 2}", "key \"n\"\n      - want 2"},
		{"a key too many", "steps: []\n    kv: {n: text}\n    kv_after: {}", `key "n" is not in kv_after: "text"`},
		{"an absent key", "steps: []\n    kv: {n: text}\n    kv_after: {n: null}", `key "n" is there: "text"`},
		{"log", "steps: [{handle: {body: x}, expect: {emits: [{channel: out}], log: [words]}}]", `the log lacks "words"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			suite := suiteOf(t, "cases:\n  - name: one\n    "+c.cases+"\n")
			var out bytes.Buffer
			err := suite.Test(t.Context(), config, "", &out)
			if passed := strings.HasPrefix(c.want, "ok"); passed != (err == nil) || !strings.Contains(out.String(), c.want) {
				t.Errorf("%v\n%s\nwant %s", err, &out, c.want)
			}
		})
	}
}

func suiteOf(t *testing.T, text string) *author.Suite {
	t.Helper()
	suite, err := author.ReadSuite(written(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), author.CasesFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBadCases(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "no case",
		"cases: [{nam: x}]":      "field nam not found",
		"cases: [{steps: [{}]}]": "case 1, step 1: it needs one of filter, handle and tick",
		"cases: [{steps: [{tick: true, filter: {body: x}}]}]":          "needs one of",
		"cases: [{steps: [{tick: true, expect: {verdict: perhaps}}]}]": `verdict "perhaps" is none of`,
		"cases: [{steps: [{filter: {body: x, json: {}}}]}]":            "more than one of body, json and base64",
		"cases: [{steps: [{filter: {base64: '*'}}]}]":                  "illegal base64",
		"cases: [{kv: {a: [1]}, steps: []}]":                           "a key's value is a text",
		"cases: [{now: yesterday, steps: []}]":                         "parsing time",
	} {
		if _, err := author.ReadSuite(written(t, text)); !errors.Is(err, author.ErrCases) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v, want %s", text, err, want)
		}
	}
	if _, err := author.ReadSuite(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, author.ErrCases) {
		t.Error(err)
	}
}

func TestMeasure(t *testing.T) {
	m, err := author.Measure(t.Context(), counting(t), []byte("x"), t.TempDir(), 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if m.Entry != "handle" || m.Calls == 0 || m.Verdicts["pass"] != m.Calls || m.PerCall <= 0 || m.Load <= 0 || m.LoadAgain <= 0 {
		t.Errorf("%+v", m)
	}
}
