package router

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/config"
)

// folder is one node's files over several starts.
type folder struct {
	t    testing.TB
	path string
	log  logs
}

// logs is a log that a test can look at.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newFolder(t testing.TB) *folder { return &folder{t: t, path: t.TempDir()} }

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

func (f *folder) read(name string) string {
	data, err := os.ReadFile(f.file(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	return string(data)
}

// load reads a configuration; DIR in it is this folder, and WASM that of the plugin host's fixtures.
func (f *folder) load(text string) (*config.Config, error) {
	fixtures, err := filepath.Abs("../plugins/testdata")
	if err != nil {
		f.t.Fatal(err)
	}
	text = strings.NewReplacer("DIR", f.path, "WASM", fixtures).Replace(text)
	if err := os.WriteFile(f.file("router.yaml"), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	overrides := []config.Override{{Key: "http.listen", Value: "127.0.0.1:0"}, {Key: "storage.path", Value: f.file("node.db")}}
	if !strings.Contains(text, "servers:") {
		overrides = append(overrides, config.Override{Key: "nats.embedded.listen", Value: "127.0.0.1:0"})
	}
	return config.Load(f.file("router.yaml"), overrides...)
}

func (f *folder) start(text string) *Router {
	f.t.Helper()
	c, err := f.load(text)
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := Start(f.t.Context(), c, Options{Logger: zerolog.New(&f.log), Stdin: strings.NewReader("")})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { closeRouter(f.t, r) })
	return r
}

func closeRouter(t testing.TB, r *Router) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func send(t *testing.T, r *Router, channel string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := r.Send(t.Context(), channel, admin.Outgoing{Data: []byte(body)}); err != nil {
			t.Fatalf("send %q on %s: %v", body, channel, err)
		}
	}
}

func trySend(t *testing.T, r *Router, channel, body string) error {
	t.Helper()
	_, err := r.Send(t.Context(), channel, admin.Outgoing{Data: []byte(body)})
	return err
}

// account waits until every message of the channel that this node reads itself has come to its end.
func account(t *testing.T, r *Router, channel string, accepted int64) admin.Account {
	t.Helper()
	var last admin.Account
	eventually(t, func() (bool, string) {
		for _, a := range r.Status().Accounts {
			if a.Channel == channel && a.Reader == r.NodeID() && !a.Ended {
				last = a
			}
		}
		return last.Accepted == accepted && last.Pending == 0, fmt.Sprintf("channel %s: %+v", channel, last)
	})
	if !last.Balanced() {
		t.Errorf("not balanced: %+v", last)
	}
	return last
}

// eventually polls until f holds.
func eventually(t testing.TB, f func() (ok bool, state string)) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		ok, state := f()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", state)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// counter reads the number that the fixture counter.wasm keeps under n.
func counter(t *testing.T, r *Router, plugin, key string) int64 {
	t.Helper()
	entries, err := r.PluginState(plugin, []byte(key), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 || len(entries[0].Value) != 8 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(entries[0].Value))
}
