package chaos

import (
	"context"
	_ "embed" // of the plugin
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/chaos/child"
)

// The channels, and the key under which the plugin counts.
const (
	loadChannel    = "load"
	effectsChannel = "effects"
	plugin         = "echo"
	counter        = "n"
)

// The processes. Each reader also is one.
const (
	natsName   = "nats"
	writerName = "writer"
)

var readerNames = []string{"reader-1", "reader-2"}

//go:embed echo.wasm
var echo []byte

// router is one process of the network.
type router struct {
	*child.Child
	client *admin.Client
	args   []string // without what a fault adds
	output string   // of a reader
}

// cluster is the network. Nothing of it runs yet when it is made.
type cluster struct {
	dir     string
	nats    *router
	address string // where NATS listens, the same over its restarts
	nodes   []*router
}

func newCluster(binary, dir string) (*cluster, error) {
	c := &cluster{dir: dir}
	wasm := filepath.Join(dir, "echo.wasm")
	if err := os.WriteFile(wasm, echo, 0o644); err != nil {
		return nil, err
	}
	var err error
	if c.address, err = child.FreeAddress(); err != nil {
		return nil, err
	}
	if c.nats, err = c.router(binary, natsName, fmt.Sprintf("nats: {embedded: {listen: %q}}\n", c.address)); err != nil {
		return nil, err
	}
	servers := fmt.Sprintf("nats: {servers: [%q]}\n", c.address)
	w, err := c.router(binary, writerName, servers+fmt.Sprintf("channels:\n  - {name: %s, mode: write, new_readers: all}\n", loadChannel))
	if err != nil {
		return nil, err
	}
	c.nodes = append(c.nodes, w)
	for _, name := range readerNames {
		output := filepath.Join(dir, name+".jsonl")
		r, err := c.router(binary, name, servers+fmt.Sprintf(`plugins:
  - {name: %[1]s, file: %[2]q, limits: {timeout: 10s}, allow: {kv: true, emit: [%[3]s]}}
channels:
  - {name: %[4]s, mode: read, consumer: %[1]s}
  - {name: %[3]s, mode: rw, own: true, new_readers: all, consumer: seen}
outputs:
  - {name: seen, type: file, format: json, path: %[5]q}
`, plugin, wasm, effectsChannel, loadChannel, output))
		if err != nil {
			return nil, err
		}
		r.output = output
		c.nodes = append(c.nodes, r)
	}
	return c, nil
}

// router writes a process's configuration.
func (c *cluster) router(binary, name, rest string) (*router, error) {
	http, err := child.FreeAddress()
	if err != nil {
		return nil, err
	}
	// A lane that only gets going again because its sender gives up on it is not to pass for one that works.
	config := fmt.Sprintf("node: {id: %s}\nstorage: {path: %q}\nhttp: {listen: %q}\ndelivery: {ack_timeout: 10m, retry_interval: 500ms}\n%s",
		name, filepath.Join(c.dir, name+".db"), http, rest)
	path := filepath.Join(c.dir, name+".yaml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return nil, err
	}
	args := []string{"run", "--config", path}
	return &router{args: args, client: admin.NewClient(http),
		Child: child.New(child.Options{Name: name, Binary: binary, Args: args, Env: []string{"RMDS_NODE_ID=" + name, "RMDS_HTTP=" + http}, Log: filepath.Join(c.dir, name+".log")})}, nil
}

func (c *cluster) writer() *router { return c.nodes[0] }

func (c *cluster) readers() []*router { return c.nodes[1:] }

func (c *cluster) all() []*router { return append([]*router{c.nats}, c.nodes...) }

// start starts everything and waits until it answers.
func (c *cluster) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, r := range c.all() {
		if err := r.Start(); err != nil {
			return err
		}
	}
	for _, r := range c.all() {
		if err := r.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// await waits until the process answers.
func (r *router) await(ctx context.Context) error {
	for {
		_, err := r.status(ctx)
		if err == nil {
			return nil
		}
		if fault := r.Fault(); fault != nil {
			return fault
		}
		if !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("wait for %s: %w\n%s", r.Name, err, r.LogEnd())
		}
	}
}

func (r *router) status(ctx context.Context) (*admin.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return r.client.Status(ctx)
}

// restart starts a process that is down, with settings over its configuration.
func (r *router) restart(settings ...string) error {
	r.Args = slices.Clone(r.args)
	for _, s := range settings {
		r.Args = append(r.Args, "--set", s)
	}
	return r.Start()
}

// kill ends everything at once.
func (c *cluster) kill() error {
	var errs []error
	for _, r := range c.all() {
		errs = append(errs, r.Kill())
	}
	return errors.Join(errs...)
}

// fault is nil unless a process has ended by itself.
func (c *cluster) fault() error {
	var errs []error
	for _, r := range c.all() {
		errs = append(errs, r.Fault())
	}
	return errors.Join(errs...)
}

// natsUp tells whether something listens where NATS should.
func (c *cluster) natsUp() bool {
	conn, err := net.DialTimeout("tcp", c.address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// pause waits; it returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
