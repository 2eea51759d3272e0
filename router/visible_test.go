package router

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/admin"
)

// noise is a text that no compression makes smaller by much.
func noise(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

// crowd sends until the storage refuses even small messages.
func crowd(t *testing.T, r *Router, channel string) {
	t.Helper()
	for _, size := range []int{100_000, 2000, 100} {
		for i := 0; ; i++ {
			err := trySend(t, r, channel, noise(size))
			if err != nil && !errors.Is(err, engine.ErrStorageFull) {
				t.Fatal(err)
			}
			if err != nil {
				break
			}
			if i > 5000 {
				t.Fatal("the storage never gets full")
			}
		}
	}
}

// troubled demands what a router tells over HTTP: the trouble of a kind, and whether it takes messages.
func troubled(t *testing.T, r *Router, kind, name, detail string, ready bool) {
	t.Helper()
	client := admin.NewClient(r.HTTPAddress())
	eventually(t, func() (bool, string) {
		h, err := client.Health(t.Context())
		if err != nil {
			t.Fatal("health is about being alive:", err)
		}
		unready := client.Ready(t.Context())
		found := kind == "" && len(h.Troubles) == 0 && h.Status == "ok" || slices.ContainsFunc(h.Troubles, func(one admin.Trouble) bool {
			return h.Status == "degraded" && one.Kind == kind && one.Name == name && strings.Contains(one.Detail, detail)
		})
		var p *admin.Problem
		right := unready == nil
		if !ready {
			right = errors.As(unready, &p) && p.Status == http.StatusServiceUnavailable && strings.Contains(p.Detail, detail)
		}
		return found && right, fmt.Sprintf("%+v, ready: %v %+v", h, unready, r.Status().Accounts)
	})
}

// TestAFullStorageIsVisible fills a node until a reader takes what waits.
func TestAFullStorageIsVisible(t *testing.T) {
	h := newFolder(t)
	hub := h.start(`
node: {id: hub}
storage: {max_size: 4MiB}
discovery: {node_offline_timeout: 2s, keepalive_interval: 500ms}
channels: [{name: junk, mode: write}]
`)
	reads := "nats: {servers: [\"" + hub.NATSURL() + "\"]}\nnode: {id: dump}\nchannels: [{name: junk, mode: read, consumer: none}]\n"
	d := newFolder(t)
	dump := d.start(reads)
	noticed(t, hub, "junk")
	closeRouter(t, dump)
	troubled(t, hub, "", "", "", true)
	crowd(t, hub, "junk")
	troubled(t, hub, "storage", "max_size", "storage.max_size", false)
	s := hub.Status()
	if s.StorageTrouble == nil || s.StorageTrouble.Kind != "max_size" || s.Statistic["storage_trouble"] != 1 {
		t.Errorf("%+v, %v", s.StorageTrouble, s.Statistic)
	}
	var p *admin.Problem
	if _, err := admin.NewClient(hub.HTTPAddress()).Send(t.Context(), "junk", admin.Outgoing{Data: []byte(noise(100_000))}); !errors.As(err, &p) || p.Status != http.StatusInsufficientStorage {
		t.Errorf("a send is answered with %v", err)
	}
	d.start(reads)
	troubled(t, hub, "", "", "", true)
	send(t, hub, "junk", "room")
	if s := hub.Status(); s.StorageTrouble != nil || s.Statistic["storage_trouble"] != 0 {
		t.Errorf("%+v, %v", s.StorageTrouble, s.Statistic)
	}
	eventually(t, func() (bool, string) {
		text := h.log.String()
		begun, ended := strings.Count(text, "the storage takes no messages"), strings.Count(text, "the storage takes messages again")
		return begun >= 1 && begun <= 2 && ended == begun, text
	})
}

// TestAReadOnlyStorageIsVisible makes the write-ahead log of a running router immutable, as far as this machine can.
func TestAReadOnlyStorageIsVisible(t *testing.T) {
	f := newFolder(t)
	r := f.start("channels: [{name: a, own: true, consumer: none}]\n")
	send(t, r, "a", "one")
	account(t, r, "a", 1)
	chattr := func(flag string) error { return exec.Command("chattr", flag, f.file("node.db-wal")).Run() }
	if err := chattr("+i"); err != nil {
		t.Skipf("a file cannot be made immutable here (it takes root, chattr and a file system that can): %v", err)
	}
	locked := true
	defer func() {
		if locked {
			chattr("-i") //nolint:errcheck // the test has failed
		}
	}()
	if err := trySend(t, r, "a", "refused"); !errors.Is(err, engine.ErrNotWritable) {
		t.Fatal(err)
	}
	troubled(t, r, "storage", "read_only", "node.db cannot be written", false)
	var p *admin.Problem
	if _, err := admin.NewClient(r.HTTPAddress()).Send(t.Context(), "a", admin.Outgoing{Data: []byte("refused")}); !errors.As(err, &p) || p.Status != http.StatusInsufficientStorage {
		t.Errorf("a send is answered with %v", err)
	}
	if err := chattr("-i"); err != nil {
		t.Fatal(err)
	}
	locked = false
	troubled(t, r, "", "", "", true)
	send(t, r, "a", "two")
	if a := account(t, r, "a", 2); a.Handled != 2 {
		t.Errorf("%+v", a)
	}
}

// TestASuspendedPluginIsVisible has a plugin fail until a message comes that it likes.
func TestASuspendedPluginIsVisible(t *testing.T) {
	f := newFolder(t)
	r := f.start(`
delivery: {retry_interval: 5ms, max_retry_attempts: 4}
plugins: [{name: bad, file: WASM/verdict.wasm, limits: {timeout: 10s}}]
channels: [{name: in, own: true, consumer: bad}]
`)
	troubled(t, r, "", "", "", true)
	send(t, r, "in", "t")
	troubled(t, r, "plugin", "bad", "suspended", true)
	account(t, r, "in", 1)
	if p := r.Status().Plugins[0]; !p.Suspended || !strings.HasPrefix(p.State, "suspended") {
		t.Errorf("%+v", p)
	}
	send(t, r, "in", "0")
	troubled(t, r, "", "", "", true)
	if p := r.Status().Plugins[0]; p.Suspended || p.State != "working" {
		t.Errorf("%+v", p)
	}
}

// TestAChannelThatNATSDeniesIsVisible has a NATS server that does not permit a channel, until it does.
func TestAChannelThatNATSDeniesIsVisible(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nats.conf")
	permit := func(permissions string) {
		text := "listen: 127.0.0.1:-1\nauthorization: {users: [{user: hub, password: x, permissions: {" + permissions + "}}, {user: bob, password: x}]}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	permit(`publish: {deny: ["rmds.data.secret.>"]}`)
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs, options.NoLog = true, true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server did not start")
	}
	at := func(id string) string {
		return "node: {id: " + id + "}\ndelivery: {retry_interval: 1200ms}\nnats: {servers: [\"" + s.ClientURL() + "\"], auth: {user: " + id + ", password: x}}\n"
	}
	newFolder(t).start(at("bob") + "channels: [{name: secret, mode: read, consumer: none}, {name: chat, mode: read, consumer: none}]\n")
	hub := newFolder(t).start(at("hub") + "channels: [{name: secret, mode: write}, {name: chat, mode: write}]\n")
	noticed(t, hub, "secret")
	noticed(t, hub, "chat")
	send(t, hub, "secret", "waits")
	troubled(t, hub, "channel", "secret", "NATS does not permit it", true)
	if one := hub.Status().Suspended; len(one) != 1 || one[0].Reader != "bob" || one[0].Channel != "secret" {
		t.Errorf("%+v", one)
	}
	send(t, hub, "chat", "goes on")
	sent(t, hub, "chat", 1)
	permit("")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	sent(t, hub, "secret", 1)
	troubled(t, hub, "", "", "", true)
}
