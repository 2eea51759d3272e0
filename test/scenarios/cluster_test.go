// Package scenarios runs what the router is for, with nothing in between: four processes of the real binary, alice who writes and
// bob, lisa and andy who read, and a NATS server in a process of its own, which stops and comes back.
package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/chaos/child"
	"github.com/getevo/rmds-router/test/internal/node"
	"github.com/getevo/rmds-router/test/internal/workdir"
)

const (
	channel = "news"
	// patience bounds every wait for something that has to happen, on the slowest machine.
	patience = time.Minute
)

var readers = []string{"bob", "lisa", "andy"}

// programs builds the router and the NATS server once for all tests.
var programs = sync.OnceValues(func() (folder string, err error) {
	if folder, err = os.MkdirTemp("", "rmds-scenarios-bin-"); err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{"rmds-router": "../../cmd/rmds-router", "nats-server": "github.com/nats-io/nats-server/v2"} {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(folder, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return folder, fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
	}
	return folder, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, _ := programs(); folder != "" {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// cluster is the five processes, none of them running yet. They are killed when the test ends.
type cluster struct {
	t       *testing.T
	work    string
	nats    *child.Child
	address string // of NATS, the same over its restarts
	nodes   map[string]*node.Node
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, work: workdir.New(t), address: freeAddress(t), nodes: map[string]*node.Node{}}
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.nats = child.New(child.Options{Name: "nats-server", Binary: filepath.Join(bin, "nats-server"), Args: []string{"-a", host, "-p", port}, Log: filepath.Join(c.work, "nats.log")})
	c.ends(c.nats)
	c.add(bin, "alice", "alice.yaml")
	for _, name := range readers {
		c.add(bin, name, "reader.yaml")
	}
	return c
}

func (c *cluster) add(bin, name, config string) {
	http := freeAddress(c.t)
	n := node.New(node.Options{
		Name: name, Binary: filepath.Join(bin, "rmds-router"), Config: filepath.Join("testdata", config), HTTP: http, Log: filepath.Join(c.work, name+".log"),
		Env: []string{"DATA=" + c.work, "NAME=" + name, "NATS=" + c.address, "HTTP=" + http, "XDG_CACHE_HOME=" + filepath.Join(c.work, "cache")},
	})
	c.nodes[name] = n
	c.ends(n.Child)
}

func (c *cluster) ends(p *child.Child) {
	c.t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			c.t.Error(err)
		}
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := child.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// start starts nodes and waits until they answer.
func (c *cluster) start(names ...string) {
	c.t.Helper()
	for _, name := range names {
		if err := c.nodes[name].Start(); err != nil {
			c.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for _, name := range names {
		if err := c.nodes[name].Await(ctx); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) startNATS() {
	c.t.Helper()
	if err := c.nats.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.until("NATS listens", func() error {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// stopNATS ends the server as an operator would.
func (c *cluster) stopNATS() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.nats.Stop(ctx); err != nil {
		c.t.Fatal(err)
	}
}

// send sends texts from alice, one after the other, and returns when the last is durable. NATS has no part in that.
func (c *cluster) send(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if err := c.nodes["alice"].Send(c.t.Context(), channel, []byte(text)); err != nil {
			c.t.Fatalf("send %q: %v\n%s", text, err, c.nodes["alice"].LogEnd())
		}
	}
}

// until asks until there is no error, and fails the test when that takes too long or a process has ended by itself.
func (c *cluster) until(what string, ask func() error) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		for _, n := range c.nodes {
			if fault := n.Fault(); fault != nil {
				c.t.Fatal(fault)
			}
		}
		if fault := c.nats.Fault(); fault != nil {
			c.t.Fatal(fault)
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("not after %s: %s: %v\nalice:\n%s", patience, what, err, c.nodes["alice"].LogEnd())
		}
		select {
		case <-c.t.Context().Done():
			c.t.Fatal(c.t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// allHandled waits until alice knows that every reader has handled so many messages and nothing waits for anybody.
func (c *cluster) allHandled(count int) {
	c.t.Helper()
	c.until(fmt.Sprintf("%d messages handled by everybody", count), func() error {
		s, err := c.nodes["alice"].Status(c.t.Context())
		if err != nil {
			return err
		}
		for _, name := range readers {
			if a, _ := node.Account(s, channel, name); a.Accepted != int64(count) || a.Handled != int64(count) {
				return fmt.Errorf("the account of %s is %+v", name, a)
			}
		}
		return nil
	})
}

// status is what a node says of itself.
func (c *cluster) status(name string) *admin.Status {
	c.t.Helper()
	s, err := c.nodes[name].Status(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// seen are the texts that a reader's output wrote, in its order. Nobody was killed, so nothing may be there twice.
func (c *cluster) seen(name string) []string {
	c.t.Helper()
	file, err := os.Open(filepath.Join(c.work, name+".jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	var texts []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var r struct{ Sender, Data string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Sender != "alice" {
			c.t.Fatalf("%s wrote %s (%v)", name, lines.Bytes(), err)
		}
		texts = append(texts, r.Data)
	}
	if err := lines.Err(); err != nil {
		c.t.Fatal(err)
	}
	return texts
}

// quiet requires that no node's log has an error, and that its warnings fit on a screen.
func (c *cluster) quiet() {
	c.t.Helper()
	for name, n := range c.nodes {
		data, err := os.ReadFile(n.Log)
		if err != nil {
			c.t.Fatal(err)
		}
		log := string(data)
		if strings.Contains(log, " ERR ") || strings.Contains(log, "panic") || strings.Count(log, " WRN ") > 3 || strings.Count(log, "\n") > 25 {
			c.t.Errorf("the log of %s screams:\n%s", name, log)
		}
	}
}
