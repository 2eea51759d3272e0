package kill

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/getevo/rmds-router/test/internal/workdir"
)

// renamePoints are the places at which a rename can be cut off.
var renamePoints = []string{"rename.after-mark", "rename.after-name", "rename.after-move"}

// TestFailpointsOfARename kills a rename at every named place: until it is repeated no router starts, with either id, and then it is complete.
func TestFailpointsOfARename(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a router of its own: not with -short")
	}
	t.Parallel()
	r := renaming{t: t, dir: workdir.New(t)}
	r.router, _ = binaries(t, failpoints)
	config := "nats: {embedded: {listen: \"127.0.0.1:0\"}}\nhttp: {listen: \"127.0.0.1:0\"}\nchannels: [{name: notes}]\n"
	if err := os.WriteFile(filepath.Join(r.dir, "node.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r.runs("bob")
	before, after := "bob", "rob"
	for _, point := range renamePoints {
		r.ends(-1, "RMDS_FAILPOINT="+point+":1", "node", "rename", after, "--node-id", before)
		for _, id := range []string{before, after} {
			if text := r.ends(2, "", "run", "--node-id", id); !strings.Contains(text, "was renamed") {
				t.Errorf("%s: as %s it says %q", point, id, text)
			}
		}
		r.ends(0, "", "node", "rename", after, "--node-id", before)
		r.runs(after)
		before, after = after, before
	}
}

type renaming struct {
	t           *testing.T
	dir, router string
}

func (r *renaming) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, r.router, append(args, "-c", "node.yaml")...)
	cmd.Dir = r.dir
	return cmd
}

// ends runs a command that must end with a code, -1 if by a signal, and returns what it says.
func (r *renaming) ends(code int, env string, args ...string) string {
	r.t.Helper()
	cmd := r.command(args...)
	if env != "" {
		cmd.Env = append(os.Environ(), env)
	}
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		r.t.Fatalf("%v %s: %v, want exit code %d\n%s", args, env, err, code, text)
	}
	return string(text)
}

// runs starts a router, and stops it once it is up.
func (r *renaming) runs(id string) {
	r.t.Helper()
	cmd := r.command("run", "--node-id", id)
	out, err := cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	text, up := "", false
	for part := make([]byte, 4096); err == nil; {
		var n int
		n, err = out.Read(part)
		text += string(part[:n])
		if !up && strings.Contains(text, "Ctrl-C stops it.") {
			up = true
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || !up {
		r.t.Fatalf("run as %s: %v\n%s", id, err, text)
	}
}
