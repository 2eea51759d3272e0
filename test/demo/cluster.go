package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/test/internal/node"
)

// The names that examples/telemetry gives to channels, readers and plugins.
const (
	linesChannel     = "lines"
	telemetryChannel = "telemetry"
	alertsChannel    = "alerts"
	hubName          = "hub"
	edgeName         = "edge"
)

// cluster is the two routers, run with the configuration files of examples/telemetry.
type cluster struct {
	edge, hub *node.Node
	nats      string
	lines     string // the file that the edge follows
	alerts    string // the file that the hub's alerts go to
}

func newCluster(s settings, work string) (*cluster, error) {
	var addresses [3]string
	for i := range addresses {
		var err error
		if addresses[i], err = node.FreeAddress(); err != nil {
			return nil, err
		}
	}
	c := &cluster{nats: addresses[0], lines: filepath.Join(work, "lines.jsonl"), alerts: filepath.Join(work, "alerts.jsonl")}
	env := []string{
		"RMDS_DATA=" + work, "EDGE_NATS=" + c.nats, "EDGE_HTTP=" + addresses[1], "HUB_HTTP=" + addresses[2],
		"LINES=" + c.lines, "ALERTS=" + c.alerts, "AGGREGATE=" + s.aggregate, "XDG_CACHE_HOME=" + filepath.Join(work, "cache"),
	}
	router := func(name, http string) *node.Node {
		return node.New(node.Options{
			Name: name, Binary: s.binary, Config: filepath.Join("examples", "telemetry", name+".yaml"), Dir: s.root, Env: env,
			HTTP: http, Log: filepath.Join(work, name+".log"),
		})
	}
	c.edge, c.hub = router(edgeName, addresses[1]), router(hubName, addresses[2])
	return c, nil
}

// close ends both routers, whatever they are doing.
func (c *cluster) close() {
	for _, n := range []*node.Node{c.hub, c.edge} {
		n.Kill() //nolint:errcheck // that one of them had ended by itself was reported while it mattered
	}
}

func (c *cluster) fault() error { return errors.Join(c.edge.Fault(), c.hub.Fault()) }

// facts are what can be known of the system from outside, when nothing is on its way.
type facts struct {
	edge, hub *admin.Status
	// lines and telemetry are the keys of the hub's two plugins.
	lines, telemetry map[string]int64
	alerts           []string
	kills            []kill
}

// facts asks until nothing happened while it asked: telemetry goes on all the time.
func (c *cluster) facts(ctx context.Context) (*facts, error) {
	for {
		f, err := c.glance(ctx)
		if err != nil {
			return nil, err
		}
		after, err := c.edge.Status(ctx)
		if err != nil {
			return nil, err
		}
		before, _ := node.Account(f.edge, telemetryChannel, hubName)
		if now, _ := node.Account(after, telemetryChannel, hubName); now == before && now.Pending == 0 {
			return f, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for telemetry to be handled: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *cluster) glance(ctx context.Context) (f *facts, err error) {
	f = &facts{}
	if f.edge, err = c.edge.Status(ctx); err != nil {
		return nil, err
	}
	if f.hub, err = c.hub.Status(ctx); err != nil {
		return nil, err
	}
	if f.lines, err = c.hub.Counters(ctx, linesChannel); err != nil {
		return nil, err
	}
	if f.telemetry, err = c.hub.Counters(ctx, telemetryChannel); err != nil {
		return nil, err
	}
	f.alerts, err = readLines(c.alerts)
	return f, err
}

func readLines(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []string
	s := bufio.NewScanner(file)
	s.Buffer(nil, 2<<20)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err()
}
