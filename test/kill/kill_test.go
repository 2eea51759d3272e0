// Package kill holds the router to its promises while it is killed: the real binary, SIGKILL at random points, under load.
//
// Variables: RMDS_SEED repeats a run's decisions, RMDS_KILLS sets the number of kills, RMDS_SOAK multiplies its default.
package kill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/getevo/rmds-router/test/internal/node"
)

const (
	defaultKills = 30
	// healing bounds how long it may take until everything is handled, after the last restart.
	healing = 45 * time.Second
)

// number reads a variable that the environment may have.
func number(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text, ok := os.LookupEnv(variable)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is not a number", variable, text)
	}
	return n
}

// build makes the programs that the test runs.
func build(t *testing.T, folder string) (router, aggregate string) {
	t.Helper()
	router, aggregate = filepath.Join(folder, "rmds-router"), filepath.Join(folder, "aggregate.wasm")
	for _, b := range []struct{ env, args []string }{
		{[]string{"CGO_ENABLED=0"}, []string{"build", "-buildvcs=false", "-o", router, "../../cmd/rmds-router"}},
		{[]string{"CGO_ENABLED=0", "GOOS=wasip1", "GOARCH=wasm"}, []string{"build", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w", "-o", aggregate, "../../examples/plugins/aggregate"}},
	} {
		cmd := exec.CommandContext(t.Context(), "go", b.args...)
		cmd.Env = append(os.Environ(), b.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	return router, aggregate
}

// routers are the edge and the hub, which are killed when the test ends.
func routers(t *testing.T, work string) map[string]*node.Node {
	t.Helper()
	binary, aggregate := build(t, work)
	redact, err := filepath.Abs("../../examples/plugins/redact/redact.wasm")
	if err != nil {
		t.Fatal(err)
	}
	var addresses [3]string
	for i := range addresses {
		if addresses[i], err = node.FreeAddress(); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{
		"DATA=" + work, "NATS=" + addresses[0], "EDGE_HTTP=" + addresses[1], "HUB_HTTP=" + addresses[2],
		"REDACT=" + redact, "AGGREGATE=" + aggregate, "XDG_CACHE_HOME=" + filepath.Join(work, "cache"),
	}
	nodes := map[string]*node.Node{}
	for name, http := range map[string]string{"edge": addresses[1], "hub": addresses[2]} {
		n := node.New(node.Options{Name: name, Binary: binary, Config: filepath.Join("testdata", name+".yaml"), Env: env, HTTP: http, Log: filepath.Join(work, name+".log")})
		nodes[name] = n
		t.Cleanup(func() {
			if err := n.Kill(); err != nil {
				t.Error(err)
			}
		})
	}
	return nodes
}

// workFolder is removed after the test, unless that failed.
func workFolder(t *testing.T) string {
	t.Helper()
	work, err := os.MkdirTemp("", "rmds-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs and databases are kept in %s", work)
		} else if err := os.RemoveAll(work); err != nil {
			t.Error(err)
		}
	})
	return work
}

func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for a minute: not with -short")
	}
	seed := number(t, "RMDS_SEED", rand.Uint64()>>32)
	kills := int(number(t, "RMDS_KILLS", defaultKills*number(t, "RMDS_SOAK", 1)))
	t.Logf("RMDS_SEED=%d RMDS_KILLS=%d", seed, kills)
	work := workFolder(t)
	nodes := routers(t, work)
	for _, name := range []string{"edge", "hub"} {
		if err := nodes[name].Start(); err != nil {
			t.Fatal(err)
		}
	}
	l := startLoad(filepath.Join(work, "lines.jsonl"), nodes, seed)
	errKill := killAll(t, nodes, rand.New(rand.NewPCG(seed, 0)), kills)
	sent, err := l.finish()
	if err := errors.Join(err, errKill); err != nil {
		t.Fatal(err)
	}
	o := healed(t, work, nodes, sent)
	if err := o.verify(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"hub", "edge"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := nodes[name].Stop(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if err := integrity(filepath.Join(work, name+".db")); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d messages handled, %d records written", o.keys["messages"], len(o.records))
}

// killAll kills the hub, the edge and both in turn, and starts them again, until there were enough kills. One in four comes
// while the router is still starting.
func killAll(t *testing.T, nodes map[string]*node.Node, random *rand.Rand, kills int) error {
	rounds := [][]string{{"hub"}, {"edge"}, {"hub", "edge"}, {"edge", "hub"}}
	begun := time.Now()
	for done, round := 0, 0; done < kills; round++ {
		pause := time.Duration(100+random.IntN(1200)) * time.Millisecond
		if random.IntN(4) == 0 {
			pause = time.Duration(random.IntN(100)) * time.Millisecond
		}
		victims := rounds[round%3]
		if round%6 == 5 {
			victims = rounds[3]
		}
		if err := wait(t, pause); err != nil {
			return err
		}
		for _, name := range victims {
			if err := nodes[name].Kill(); err != nil {
				return fmt.Errorf("before kill %d, %s after the start: %w", done+1, time.Since(begun), err)
			}
			done++
		}
		for _, name := range victims {
			if err := wait(t, time.Duration(random.IntN(250))*time.Millisecond); err != nil {
				return err
			}
			if err := nodes[name].Start(); err != nil {
				return err
			}
		}
	}
	t.Logf("%d kills in %s", kills, time.Since(begun).Round(time.Millisecond))
	return nil
}

// wait lets time pass, as the seed decides; nothing is expected to have happened when it has.
func wait(t *testing.T, d time.Duration) error {
	select {
	case <-t.Context().Done():
		return t.Context().Err()
	case <-time.After(d):
		return nil
	}
}
