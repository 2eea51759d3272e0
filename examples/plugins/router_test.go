package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/router"
	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/router/author"
	"github.com/getevo/rmds-router/router/config"
)

// trial is what is sent to an example in a router, and the lines that its screen shows for it, in any order.
type trial struct {
	send   [][2]string // channel, body
	screen []string
}

// trials are by example: what its README sends, and a little more.
var trials = map[string]trial{
	"dedup":     {[][2]string{{"orders", "hello"}, {"orders", "hello"}, {"orders", "other"}}, []string{"hello", "other"}},
	"enrich":    {[][2]string{{"devices", `{"id":"d1","site":"north"}`}, {"telemetry", `{"device":"d1","value":7}`}}, []string{`{"about":{"site":"north"},"device":"d1","value":7}`}},
	"fields":    {[][2]string{{"people", `{"name":"Ada","ssn":"123"}`}}, []string{`{"name":"Ada"}`}},
	"ratelimit": {[][2]string{{"jobs", "1"}, {"jobs", "2"}}, []string{"1", "2"}},
	"route":     {[][2]string{{"raw", `{"type":"door","open":true}`}, {"raw", "no type"}}, []string{`{"type":"door","open":true}`, "no type"}},
	"summary":   {[][2]string{{"texts", "one two three"}}, []string{"texts from examples: 1 lines, 3 words, 14 bytes"}},
	"window": {[][2]string{{"readings", `{"sensor":"boiler","value":95}`}, {"readings", `{"sensor":"door","value":1}`}},
		[]string{`{"average":95,"count":1,"sensor":"boiler"}`, `{"average":95,"count":1,"sensor":"boiler"}`, `{"average":1,"count":1,"sensor":"door"}`}},
	"redact": {[][2]string{{"people", `{"name":"Ada","ssn":"123"}`}}, []string{`{"name":"Ada","ssn":"***"}`}},
	"average": {[][2]string{{"readings", `{"sensor":"boiler","value":95.5}`}, {"readings", `{"sensor":"door","value":1}`}},
		[]string{`{"average":95.5,"count":1,"sensor":"boiler"}`, `{"average":95.5,"count":1,"sensor":"boiler"}`, `{"average":1,"count":1,"sensor":"door"}`}},
}

// screen is a router's standard output.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.text.String(), "\n"), "\n")
}

// alike gives lines in order, JSON in one way of writing it, without those that are empty: a program may end its output with a line feed of its own.
func alike(lines []string) (list []string) {
	for _, line := range lines {
		if value := any(nil); json.Unmarshal([]byte(line), &value) == nil {
			if b, err := json.Marshal(value); err == nil {
				line = string(b)
			}
		}
		if line != "" {
			list = append(list, line)
		}
	}
	slices.Sort(list)
	return list
}

// tried runs a router with the configuration of an example, which is built, and sends it its messages.
func tried(t *testing.T, dir string, c trial) {
	dataDir := t.TempDir()
	cfg, err := config.Load(filepath.Join(dir, "router.yaml"), config.Override{Key: "http.listen", Value: "127.0.0.1:0"}, config.Override{Key: "nats.embedded.listen", Value: "127.0.0.1:0"},
		config.Override{Key: "storage.path", Value: filepath.Join(dataDir, "node.db")}, config.Override{Key: "node.id", Value: "examples"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.Plugins {
		cfg.Plugins[i].Limits.Timeout = 10 * time.Second // the machine may be busy
		cfg.Plugins[i].Tick = min(cfg.Plugins[i].Tick, 200*time.Millisecond)
	}
	var out, log screen
	r, err := router.Start(t.Context(), cfg, router.Options{Logger: zerolog.New(&log), Stdin: strings.NewReader(""), Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	for _, m := range c.send {
		if _, err := r.Send(t.Context(), m[0], admin.Outgoing{Data: []byte(m[1])}); err != nil {
			t.Fatal(err)
		}
		settled(t, r, &log) // enrich has to know a device before it is named
	}
	want := alike(c.screen)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		got := alike(out.lines())
		if slices.Equal(got, want) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the screen shows\n%q, want\n%q\n%s", got, want, strings.Join(log.lines(), "\n"))
		}
	}
	for _, p := range r.Status().Plugins {
		if p.Calls == 0 || p.Faults != 0 {
			t.Errorf("%+v", p)
		}
	}
}

// settled waits until every message has come to its end.
func settled(t *testing.T, r *router.Router, log *screen) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		pending := int64(0)
		accounts := r.Status().Accounts
		for _, a := range accounts {
			pending += a.Pending
			if a.Dead > 0 {
				t.Fatalf("a dead letter: %+v\n%s", a, strings.Join(log.lines(), "\n"))
			}
		}
		if pending == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", accounts)
		}
	}
}

// configured writes a configuration for an example of the SDKs, which has none of its own because all languages share one.
func configured(t *testing.T, dir, example string, m *author.Manifest) {
	t.Helper()
	settings, err := json.Marshal(m.Config)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("plugins: [{name: %s, file: %s, config: %s", m.Name, m.Module(), settings)
	switch example {
	case "redact":
		text += `}]
channels: [{name: people, mode: rw, own: true, outbound: [redact], consumer: screen}]
`
	case "average":
		text += `, tick: 10s, allow: {kv: true, emit: [averages, alerts]}}]
channels:
  - {name: readings, mode: rw, own: true, consumer: average}
  - {name: averages, mode: rw, own: true, consumer: screen}
  - {name: alerts, mode: rw, own: true, consumer: screen}
`
	}
	text += "outputs: [{name: screen, type: stdout}]\n"
	if err := os.WriteFile(filepath.Join(dir, "router.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
