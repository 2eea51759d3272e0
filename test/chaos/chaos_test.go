// Package chaos runs `rmds-router chaos` as a user does.
package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/getevo/rmds-router/router/chaos"
)

// patience bounds a run, with the harm it does and its healing.
const patience = 4 * time.Minute

// binaries are built once for each set of tags.
var binaries struct {
	sync.Mutex
	folder string
	paths  map[string]string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binaries.folder != "" {
		os.RemoveAll(binaries.folder)
	}
	os.Exit(code)
}

func build(t *testing.T, tags string) string {
	t.Helper()
	b := &binaries
	b.Lock()
	defer b.Unlock()
	if b.folder == "" {
		folder, err := os.MkdirTemp("", "rmds-chaos-bin-")
		if err != nil {
			t.Fatal(err)
		}
		b.folder, b.paths = folder, map[string]string{}
	}
	if b.paths[tags] != "" {
		return b.paths[tags]
	}
	path := filepath.Join(b.folder, "rmds-router-"+tags)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-tags="+tags, "-o", path, "../../cmd/rmds-router")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	b.paths[tags] = path
	return path
}

// run is one run of the command, with its temporary folder where the test sees it.
type run struct {
	*exec.Cmd
	out, err  *output
	temporary string
}

func command(t *testing.T, tags string, args ...string) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	r := &run{Cmd: exec.CommandContext(ctx, build(t, tags), append([]string{"chaos"}, args...)...), out: &output{}, err: &output{}, temporary: t.TempDir()}
	r.Stdout, r.Stderr = r.out, r.err
	r.Env = append(os.Environ(), "TMPDIR="+r.temporary)
	return r
}

// said is all that it wrote.
func (r *run) said() string { return r.out.String() + r.err.String() }

// nothingLeft requires that no process of this run is left, and nothing in the temporary folder.
func (r *run) nothingLeft(t *testing.T) {
	t.Helper()
	if entries, err := os.ReadDir(r.temporary); err != nil || len(entries) > 0 {
		t.Errorf("left in the temporary folder: %v (%v)", entries, err)
	}
	r.noneRuns(t, r.temporary)
}

// noneRuns looks through the processes of the system, where that can be done, for one whose configuration is in the folder.
func (r *run) noneRuns(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), folder+"/") {
			t.Errorf("%s still runs: %q", file, text)
		}
	}
}

func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for a quarter of a minute: not with -short")
	}
	t.Parallel()
	cmd := command(t, "", "--for", "15s", "-o", "json")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, cmd.said())
	}
	var r chaos.Report
	if err := json.Unmarshal(cmd.out.bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, cmd.said())
	}
	if !r.Drained || len(r.Broken) > 0 || r.Sent.Confirmed == 0 || len(r.Seen) != 4 || len(r.Accounts) != 6 || r.Hurt < 15*time.Second {
		t.Error(cmd.said())
	}
	for _, s := range r.Seen {
		if s.Effects < r.Sent.Confirmed || s.OutOfOrder+s.Twice+s.Lost+s.Invented > 0 {
			t.Errorf("%+v", s)
		}
	}
	t.Logf("seed %d: %+v, %+v", r.Seed, r.Faults, r.Sent)
	cmd.nothingLeft(t)
}

// TestInterrupted presses Ctrl-C in a run that would take an hour.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	cmd := command(t, "", "--for", "1h", "--seed", "3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); strings.Count(cmd.err.String(), " confirmed; ") < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("no harm was done:\n%s", cmd.said())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, cmd.said())
	}
	if !regexp.MustCompile(`(?s)faults .*ORDER VIOLATIONS.*(Every promise was kept|No promise was broken so far).*seed 3`).MatchString(cmd.out.String()) {
		t.Errorf("no ledger:\n%s", cmd.said())
	}
	cmd.nothingLeft(t)
}

// TestChaosFindsABug runs a build in which what a handler does commits apart from the position. Whether a kill comes between the two
// is a matter of luck, so there are a few runs.
func TestChaosFindsABug(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a router of its own: not with -short")
	}
	t.Parallel()
	for range 5 {
		dir := filepath.Join(t.TempDir(), "kept")
		cmd := command(t, "planted", "--for", "15s", "--dir", dir)
		cmd.Env = append(cmd.Env, "RMDS_PLANTED=effect-before-position")
		err := cmd.Run()
		cmd.noneRuns(t, dir)
		if err == nil {
			continue
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(cmd.out.String(), "had its effect twice") || !strings.Contains(cmd.err.String(), "a promise was broken") {
			t.Errorf("%v, want exit code 1\n%s", err, cmd.said())
		}
		if _, err := os.Stat(filepath.Join(dir, "reader-1.log")); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("the bug was not found")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--for", "0s"}, "--for"}, {[]string{"--dir", taken}, "must be empty"}, {[]string{"-o", "xml"}, "--output"}, {[]string{"now"}, "unknown command"},
	} {
		cmd := command(t, "", c.args...)
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(cmd.err.String(), c.want) {
			t.Errorf("%v: %v, %s", c.args, err, cmd.said())
		}
	}
}
