package plugins_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
)

// vectors is ../sdk/vectors/vectors.json: what the same plugin does in every language.
type vectors struct {
	Config  json.RawMessage
	Emit    []string
	Message struct {
		ID, Channel, Sender string
		Headers             [][2]string
		CreatedMS           int64 `json:"created_ms"`
		ExpiresMS           int64 `json:"expires_ms"`
		Seq                 uint64
		Attempt             int
		LastError           string `json:"last_error"`
	}
	Cases []vector
}

// vector is one call and what comes of it.
type vector struct {
	Call, Body string
	Size       int   // the body is filled up to this length with ")"
	NowMS      int64 `json:"now_ms"`

	Verdict string
	Reason  string // a regular expression; of a health check the text, empty if well
	RetryMS int64  `json:"retry_ms"`
	Becomes *struct {
		Channel, Body string
		Headers       [][2]string
	}
	Emits []struct {
		Channel, Body string
		Headers       [][2]string
		TTLMS         int64 `json:"ttl_ms"`
		DelayMS       int64 `json:"delay_ms"`
	}
	KV    map[string]*string // values in hexadecimal; "" absent, null any
	Stats map[string]int64
	Log   string
}

// sdks builds the plugin of the vectors with the real compiler of each language.
var sdks = map[string]func(t *testing.T, out string) []*exec.Cmd{
	"assemblyscript": func(t *testing.T, out string) []*exec.Cmd {
		const asc = "../sdk/assemblyscript/node_modules/.bin/asc"
		tool(t, asc, "nodejs npm && npm ci --prefix sdk/assemblyscript")
		return []*exec.Cmd{exec.Command(asc, "../sdk/vectors/assemblyscript/vectors.ts", "-o", out, "-O3", "--exportStart", "_initialize")}
	},
	"c": func(t *testing.T, out string) []*exec.Cmd {
		tool(t, "clang-22", "clang-22 lld-22")
		return []*exec.Cmd{clang("c", "../sdk/vectors/c/vectors.c", out)}
	},
	"c++": func(t *testing.T, out string) []*exec.Cmd {
		tool(t, "clang-22", "clang-22 lld-22")
		return []*exec.Cmd{clang("c++", "../sdk/vectors/c/vectors.c", out)}
	},
	"go": func(_ *testing.T, out string) []*exec.Cmd {
		build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, "../sdk/vectors/go")
		build.Env = append(build.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		return []*exec.Cmd{build}
	},
	"rust": func(t *testing.T, out string) []*exec.Cmd {
		tool(t, "wasm-ld-14", "rustc libstd-rust-dev-wasm32 lld-14")
		return []*exec.Cmd{
			rustc("--crate-type=rlib", "--crate-name=rmds", "-o", filepath.Dir(out)+"/librmds.rlib", "../sdk/rust/src/lib.rs"),
			rustc("--crate-type=cdylib", "--crate-name=vectors", "-Clinker=wasm-ld-14", "-Clink-arg=-zstack-size=65536", "-Cstrip=symbols", "-Clto", "--extern=rmds="+filepath.Dir(out)+"/librmds.rlib",
				"-o", out, "../sdk/vectors/rust/lib.rs"),
		}
	},
}

// rustc is Debian's compiler, the oldest that the SDK is for.
func rustc(args ...string) *exec.Cmd {
	return exec.Command("/usr/bin/rustc", append([]string{"--edition=2021", "--target=wasm32-unknown-unknown", "-Copt-level=s", "-Cpanic=abort", "-Dwarnings"}, args...)...)
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("../sdk/vectors/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for language, build := range sdks {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "vectors.wasm")
			for _, step := range build(t, file) {
				if out, err := step.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", step, err, out)
				}
			}
			v.run(t, file)
		})
	}
}

// run holds one build of the plugin against the vectors.
func (v *vectors) run(t *testing.T, file string) {
	h := pluginstest.New(t)
	p := h.Load(t, plugins.Config{Name: "vectors", File: file, Config: v.Config, Allow: plugins.Allow{Emit: v.Emit, KV: true, NodeInfo: true},
		Limits: plugins.Limits{Timeout: 5 * time.Second}})
	if want := plugins.Filters | plugins.Handles | plugins.Ticks; p.Kind() != want {
		t.Errorf("the plugin is of kind %b, not %b", p.Kind(), want)
	}
	for _, c := range v.Cases {
		if err := v.check(t, h, p, &c); err != nil {
			t.Errorf("%s %q: %v", c.Call, c.Body, err)
		}
	}
	p.Close(t.Context())
	if !strings.Contains(h.Log.String(), `"message":"bye"`) {
		t.Error("the log lacks what is said at the stop")
	}
}

func (v *vectors) check(t *testing.T, h *pluginstest.Harness, p *plugins.Plugin, c *vector) error {
	if c.Call == "health" {
		err := p.Health(t.Context())
		if (err != nil) != (c.Reason != "") || (err != nil && !strings.Contains(err.Error(), c.Reason)) {
			return fmt.Errorf("health is %w, want %q", err, c.Reason)
		}
		return nil
	}
	before := maps.Clone(p.Stats().Custom)
	m := v.message(c)
	o := v.call(t, p, c, &m)
	h.Commit(p, o)
	if o.Verdict.String() != c.Verdict || !regexp.MustCompile(c.Reason).MatchString(o.Reason) || o.RetryAfter.Milliseconds() != c.RetryMS {
		return fmt.Errorf("verdict %s (%q, again after %s)", o.Verdict, o.Reason, o.RetryAfter)
	}
	for name, n := range c.Stats {
		if got := p.Stats().Custom[name] - before[name]; got != n {
			return fmt.Errorf("counter %s rose by %d, not %d", name, got, n)
		}
	}
	if !strings.Contains(h.Log.String(), c.Log) {
		return fmt.Errorf("the log lacks %q", c.Log)
	}
	if err := c.kept(h, p); err != nil {
		return err
	}
	return c.came(o, &m)
}

func (v *vectors) message(c *vector) plugins.Message {
	w := v.Message
	body := c.Body
	if c.Size > 0 {
		body += " " + strings.Repeat(")", c.Size-len(body)-1)
	}
	return plugins.Message{ID: w.ID, Channel: w.Channel, Sender: w.Sender, Headers: pairs(w.Headers), Created: w.CreatedMS, Expires: w.ExpiresMS, Seq: w.Seq,
		Attempt: w.Attempt, LastError: w.LastError, Body: []byte(body)}
}

func (v *vectors) call(t *testing.T, p *plugins.Plugin, c *vector, m *plugins.Message) plugins.Outcome {
	switch c.Call {
	case "filter":
		return p.Filter(t.Context(), m)
	case "handle":
		return p.Handle(t.Context(), m)
	case "tick":
		return p.Tick(t.Context(), time.UnixMilli(c.NowMS))
	}
	t.Fatalf("no such call: %s", c.Call)
	return plugins.Outcome{}
}

// kept compares the keys.
func (c *vector) kept(h *pluginstest.Harness, p *plugins.Plugin) error {
	for key, want := range c.KV {
		value, ok, err := h.State.Get(p.Name(), []byte(key))
		if err != nil {
			return err
		}
		if want != nil && (ok != (*want != "") || hex.EncodeToString(value) != *want) {
			return fmt.Errorf("key %s is %x", key, value)
		}
	}
	return nil
}

// came compares the message and the emits.
func (c *vector) came(o plugins.Outcome, m *plugins.Message) error {
	if b := c.Becomes; o.Changed != (b != nil) {
		return fmt.Errorf("changed is %v", o.Changed)
	} else if b != nil && (o.Channel != b.Channel || string(o.Body) != b.Body || !reflect.DeepEqual(o.Headers, pairs(b.Headers))) {
		return fmt.Errorf("became %s, %q, %v", o.Channel, o.Body, o.Headers)
	}
	if len(o.Effects.Emits) != len(c.Emits) {
		return fmt.Errorf("emits %d messages, not %d", len(o.Effects.Emits), len(c.Emits))
	}
	for i, e := range o.Effects.Emits {
		w := c.Emits[i]
		if e.Channel != w.Channel || string(e.Body) != w.Body || len(e.Headers) != len(w.Headers) || e.TTL.Milliseconds() != w.TTLMS || e.Delay.Milliseconds() != w.DelayMS {
			return fmt.Errorf("emits %+v\n%s\nnot %+v", e, e.Body, w)
		}
		for k, h := range pairs(w.Headers) {
			if e.Headers[k] != h {
				return fmt.Errorf("emits header %v, not %v", e.Headers[k], h)
			}
		}
	}
	return nil
}

func pairs(list [][2]string) (headers []plugins.Header) {
	for _, h := range list {
		headers = append(headers, plugins.Header{Name: h[0], Value: h[1]})
	}
	return headers
}
