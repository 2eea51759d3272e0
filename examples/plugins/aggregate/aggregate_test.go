package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
	"pgregory.net/rapid"

	aggregateref "github.com/getevo/rmds-router/examples/plugins/aggregate/reference"
)

// module builds the plugin once for all tests.
var module = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "aggregate")
	if err != nil {
		return "", err
	}
	built := filepath.Join(folder, "aggregate.wasm")
	out, err := exec.Command("sh", "build.sh", built).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return built, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built, err := module(); err == nil {
		os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(code)
}

func config(t testing.TB, settings string) plugins.Config {
	t.Helper()
	built, err := module()
	if err != nil {
		t.Fatal(err)
	}
	return plugins.Config{
		Name: "aggregate", File: built, Config: json.RawMessage(settings),
		Limits: plugins.Limits{Timeout: 10e9}, Allow: plugins.Allow{Emit: []string{"alerts", "pages"}, KV: true},
	}
}

// harness is a host that compiles the plugin in one test only.
func harness(t testing.TB) *pluginstest.Harness {
	t.Helper()
	built, err := module()
	if err != nil {
		t.Fatal(err)
	}
	return pluginstest.NewCached(t, filepath.Join(filepath.Dir(built), "cache"))
}

// run puts bodies through plugin and reference and compares keys, alerts and dead letters.
func run(h *pluginstest.Harness, p *plugins.Plugin, totals *aggregateref.Totals, channel string, bodies ...string) error {
	var alerts []string
	totals.Sender = "tester"
	for i, o := range h.Run(p, pluginstest.Bodies(bodies...)...) {
		want := plugins.Ack
		if !totals.Apply([]byte(bodies[i])) {
			want = plugins.Dead
		}
		if o.Verdict != want || (want == plugins.Dead && o.Reason == "") {
			return fmt.Errorf("%s: verdict %s (%s), want %s", bodies[i], o.Verdict, o.Reason, want)
		}
		for _, e := range o.Effects.Emits {
			if e.Channel != channel {
				return fmt.Errorf("alert to channel %s", e.Channel)
			}
			alerts = append(alerts, string(e.Body))
		}
	}
	if !slices.Equal(alerts, totals.Alerts) {
		return fmt.Errorf("alerts %q, want %q", alerts, totals.Alerts)
	}
	keys := make(map[string]int64)
	for key, value := range h.State.All(p.Name()) {
		n, ok := aggregateref.Counter(value)
		if !ok {
			return fmt.Errorf("key %s is no counter: %x", key, value)
		}
		keys[key] = n
	}
	if !maps.Equal(keys, totals.Keys) {
		return fmt.Errorf("keys %v, want %v", keys, totals.Keys)
	}
	return nil
}

func TestRules(t *testing.T) {
	long := strings.Repeat("x", 121)
	h, totals := harness(t), &aggregateref.Totals{}
	p := h.Load(t, config(t, `{}`))
	if !p.Stateful() || p.Kind() != plugins.Handles {
		t.Fatalf("stateful %v, kind %b", p.Stateful(), p.Kind())
	}
	if err := run(h, p, totals, "alerts",
		`{"file":"/src/fmt/print.go","line":1,"text":"package fmt"}`,
		`{"file":"/src/fmt/scan.go","line":2,"text":"`+long+`"}`,
		`{"file":"README","line":3,"text":"a <b> \u00e9"}`,
		`{"cpu_milli":125,"mem_used_kib":100,"disk_used_kib":7,"net_rx_bytes":1,"net_tx_bytes":-3}`,
		`{"cpu_milli":300,"other":1}`,
		`{"cpu_milli":1.5}`,
		`not json`,
	); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int64{
		"messages": 5, "lines//src/fmt": 2, "lines_sum//src/fmt": 132, "lines_avg//src/fmt": 66, "lines_sum/README": 8,
		"telemetry/cpu_milli": 2, "telemetry_sum/cpu_milli": 425, "telemetry_avg/cpu_milli": 212, "telemetry_avg/net_tx_bytes": -3,
	} {
		if totals.Keys[key] != want {
			t.Errorf("%s is %d, want %d", key, totals.Keys[key], want)
		}
	}
	if want := []string{`{"alert":"long line","file":"/src/fmt/scan.go","line":2,"length":121}`}; !slices.Equal(totals.Alerts, want) {
		t.Errorf("alerts %q, want %q", totals.Alerts, want)
	}
}

func TestSettings(t *testing.T) {
	h, totals := harness(t), &aggregateref.Totals{LongLine: 3}
	p := h.Load(t, config(t, `{"long_line":3,"alerts":"pages"}`))
	if err := run(h, p, totals, "pages", `{"file":"a","line":1,"text":"1234"}`, `{"file":"a","line":2,"text":"123"}`); err != nil {
		t.Fatal(err)
	}
	if len(totals.Alerts) != 1 {
		t.Errorf("%d alerts, want 1", len(totals.Alerts))
	}
}

func TestBadSettings(t *testing.T) {
	h := harness(t)
	if _, err := h.Host.Load(t.Context(), config(t, `{"long_line":"far"}`)); err == nil || !strings.Contains(err.Error(), "rmds_init refused") {
		t.Errorf("settings of a wrong type: %v", err)
	}
}

func TestMilestone(t *testing.T) {
	h, totals := harness(t), &aggregateref.Totals{}
	totals.Keys = map[string]int64{"messages": 19_999}
	h.State.Apply("aggregate", []plugins.StateChange{{Key: []byte("messages"), Value: []byte{0x1f, 0x4e, 0, 0, 0, 0, 0, 0}}})
	p := h.Load(t, config(t, `{}`))
	if err := run(h, p, totals, "alerts", `{}`, `{}`); err != nil {
		t.Fatal(err)
	}
	if want := []string{`{"alert":"milestone","count":20000}`}; !slices.Equal(totals.Alerts, want) {
		t.Errorf("alerts %q, want %q", totals.Alerts, want)
	}
}

func TestAgainstReference(t *testing.T) {
	h, totals := harness(t), &aggregateref.Totals{LongLine: 20}
	p := h.Load(t, config(t, `{"long_line":20}`))
	rapid.Check(t, func(t *rapid.T) {
		var body []byte
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			body = []byte(rapid.StringN(0, 40, -1).Draw(t, "junk"))
		case 1:
			body, _ = json.Marshal(map[string]any{"cpu_milli": rapid.Int32().Draw(t, "cpu"), "net_rx_bytes": rapid.Int32().Draw(t, "rx")})
		default:
			body, _ = json.Marshal(map[string]any{
				"file": rapid.SampledFrom([]string{"/a/b", "/a/c", "/a", "b", "", "/x/y/z/"}).Draw(t, "file"),
				"line": rapid.Int32().Draw(t, "line"), "text": rapid.StringN(0, 40, -1).Draw(t, "text"),
			})
		}
		if err := runNew(h, p, totals, string(body)); err != nil {
			t.Fatal(err)
		}
	})
}

// runNew is run for one message more, whose alerts are compared by themselves.
func runNew(h *pluginstest.Harness, p *plugins.Plugin, totals *aggregateref.Totals, body string) error {
	totals.Alerts = nil
	return run(h, p, totals, "alerts", body)
}

func BenchmarkLine(b *testing.B) {
	h := harness(b)
	p := h.Load(b, config(b, `{}`))
	message := pluginstest.Bodies(`{"file":"/usr/local/go/src/fmt/print.go","line":12,"text":"func Fprintf(w io.Writer, format string, a ...any) (n int, err error) {"}`)
	b.ReportAllocs()
	for b.Loop() {
		h.Run(p, message...)
	}
}
