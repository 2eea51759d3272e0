package kill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getevo/rmds-router/test/internal/node"
	"github.com/getevo/rmds-router/test/internal/workdir"
)

// healing bounds how long it may take until everything is handled, after the last restart. It is shorter than the configurations'
// ack_timeout: a lane that only gets going again because its sender gives up on it must fail the test.
const healing = 2 * time.Minute

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

// What the tests run. The routers differ in their build tags.
const (
	release    = ""
	failpoints = "failpoints"
	planted    = "failpoints,planted"
)

// programs are built once, whichever test needs them first.
type programs struct {
	sync.Mutex
	folder  string
	routers map[string]string // by tags
}

var built programs

func TestMain(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		os.RemoveAll(built.folder)
	}
	os.Exit(code)
}

// binaries returns the router with these build tags, and the handler plugin.
func binaries(t *testing.T, tags string) (router, aggregate string) {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.folder == "" {
		folder, err := os.MkdirTemp("", "rmds-kill-bin-")
		if err != nil {
			t.Fatal(err)
		}
		built.folder, built.routers = folder, map[string]string{}
		built.compile(t, filepath.Join(folder, "aggregate.wasm"), "../../examples/plugins/aggregate", "GOOS=wasip1 GOARCH=wasm", "-buildmode=c-shared")
	}
	if built.routers[tags] == "" {
		built.routers[tags] = filepath.Join(built.folder, "rmds-router-"+strconv.Itoa(len(built.routers)))
		built.compile(t, built.routers[tags], "../../cmd/rmds-router", "", "-tags="+tags)
	}
	return built.routers[tags], filepath.Join(built.folder, "aggregate.wasm")
}

func (p *programs) compile(t *testing.T, out, pkg, env, flag string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags=-s -w", flag, "-o", out, pkg)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), strings.Fields(env)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
}

// cluster is an edge and a hub, with the NATS of the edge between them, under load. They are killed when the test ends.
type cluster struct {
	t     *testing.T
	work  string
	nodes map[string]*node.Node
	env   map[string][]string // of each node, without what a test adds
	load  *load
}

// newCluster starts nothing yet.
func newCluster(t *testing.T, tags string, env ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, work: workdir.New(t), nodes: map[string]*node.Node{}, env: map[string][]string{}}
	binary, aggregate := binaries(t, tags)
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
	env = append([]string{
		"DATA=" + c.work, "NATS=" + addresses[0], "EDGE_HTTP=" + addresses[1], "HUB_HTTP=" + addresses[2],
		"REDACT=" + redact, "AGGREGATE=" + aggregate, "XDG_CACHE_HOME=" + filepath.Join(c.work, "cache"),
	}, env...)
	for name, http := range map[string]string{"edge": addresses[1], "hub": addresses[2]} {
		n := node.New(node.Options{Name: name, Binary: binary, Config: filepath.Join("testdata", name+".yaml"), Env: env, HTTP: http, Log: filepath.Join(c.work, name+".log")})
		c.nodes[name], c.env[name] = n, env
		t.Cleanup(func() {
			if err := n.Kill(); err != nil {
				t.Error(err)
			}
		})
	}
	return c
}

// begin starts the load; the routers may be down.
func (c *cluster) begin(seed uint64) {
	c.load = startLoad(filepath.Join(c.work, "lines.jsonl"), c.nodes, seed)
}

// end stops the load, waits until everything is handled, and returns what is wrong. Both routers must be running. err is what
// happened before.
func (c *cluster) end(err error) error {
	sent, errLoad := c.load.finish()
	if err := errors.Join(err, errLoad); err != nil {
		return err
	}
	o, err := healed(c.t, c.work, c.nodes, sent)
	if err != nil {
		return err
	}
	errs := []error{o.verify()}
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
		errs = append(errs, c.nodes[name].Stop(ctx), integrity(filepath.Join(c.work, name+".db")))
		cancel()
	}
	c.t.Logf("%d messages handled, %d records written", o.keys["messages"], len(o.records))
	return errors.Join(errs...)
}

// wait lets time pass, as the seed decides; nothing is expected to have happened when it has.
func (c *cluster) wait(d time.Duration) error {
	select {
	case <-c.t.Context().Done():
		return fmt.Errorf("wait: %w", c.t.Context().Err())
	case <-time.After(d):
		return nil
	}
}
