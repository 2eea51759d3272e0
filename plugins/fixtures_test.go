package plugins_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool makes sure that a program is there: without it the test fails in CI and is skipped elsewhere, with the command that installs it.
func tool(t *testing.T, name, packages string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	text := name + " is missing; install it with: apt-get install -y " + packages
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// TestFixturesAreCurrent builds every module in testdata again.
func TestFixturesAreCurrent(t *testing.T) {
	tool(t, "wat2wasm", "wabt")
	sources, err := filepath.Glob("testdata/*.wat")
	if err != nil || len(sources) < 20 {
		t.Fatalf("found %d sources, %v", len(sources), err)
	}
	for _, source := range sources {
		current(t, source, func(out string) *exec.Cmd { return exec.Command("wat2wasm", source, "-o", out) })
	}
}

func TestCFixturesAreCurrent(t *testing.T) {
	tool(t, "clang-22", "clang-22 lld-22")
	current(t, "testdata/change.c", func(out string) *exec.Cmd { return clang("c", "testdata/change.c", out) })
}

// TestHeaderCompilesAsCPlusPlus takes the C example for C++.
func TestHeaderCompilesAsCPlusPlus(t *testing.T) {
	tool(t, "clang-22", "clang-22 lld-22")
	if out, err := clang("c++", "testdata/change.c", filepath.Join(t.TempDir(), "out.wasm")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func clang(language, source, out string) *exec.Cmd {
	return exec.Command("clang-22", "--target=wasm32-unknown-unknown", "-x", language, "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib",
		"-fuse-ld=lld", "-Wl,--no-entry", "-Wl,--strip-all", "-I../sdk/c", "-o", out, source)
}

// current compares what a build makes with the file kept beside the source.
func current(t *testing.T, source string, build func(out string) *exec.Cmd) {
	t.Helper()
	built := filepath.Join(t.TempDir(), "built.wasm")
	command := build(built)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, out)
	}
	kept := strings.TrimSuffix(source, filepath.Ext(source)) + ".wasm"
	want, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what %s compiles to; build it with: %s", kept, source, strings.ReplaceAll(command.String(), built, kept))
	}
}
