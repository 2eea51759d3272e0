package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// build makes the two programs as the Makefile does.
func build(t *testing.T) settings {
	t.Helper()
	folder := t.TempDir()
	s := settings{root: "../..", binary: filepath.Join(folder, "rmds-router"), aggregate: filepath.Join(folder, "aggregate.wasm"), lines: minLines}
	for _, b := range []struct{ env, args []string }{
		{nil, []string{"build", "-buildvcs=false", "-o", s.binary, "../../cmd/rmds-router"}},
		{[]string{"GOOS=wasip1", "GOARCH=wasm"}, []string{"build", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w", "-o", s.aggregate, "../../examples/plugins/aggregate"}},
	} {
		cmd := exec.CommandContext(t.Context(), "go", b.args...)
		cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), b.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	return s
}

// TestDemo runs the demonstration with fewer lines, and so the configurations of examples/telemetry.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for a quarter of a minute: not with -short")
	}
	s := build(t)
	if err := s.complete(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := play(ctx, s, t.TempDir(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if kept := strings.Count(out.String(), "✓"); kept != 7 || strings.Contains(out.String(), "✗") {
		t.Errorf("%d promises kept, want 7:\n%s", kept, &out)
	}
}

func TestSettings(t *testing.T) {
	here, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	good := settings{root: ".", binary: here, aggregate: here, lines: minLines}
	for name, c := range map[string]struct {
		change func(s *settings)
		want   string
	}{
		"no router": {func(s *settings) { s.binary = "nosuch" }, `run "make demo"`},
		"no plugin": {func(s *settings) { s.aggregate = "nosuch" }, `run "make demo"`},
		"too few":   {func(s *settings) { s.lines-- }, "-lines 99999"},
		"nothing":   {func(*settings) {}, ""},
	} {
		s := good
		c.change(&s)
		if err := s.complete(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if c.want == "" && s.seed == 0 {
			t.Error("no seed was drawn")
		}
	}
}
