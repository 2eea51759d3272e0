package redact_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins"
	"github.com/getevo/rmds-router/plugins/pluginstest"
	"pgregory.net/rapid"

	redactref "github.com/getevo/rmds-router/examples/plugins/redact/reference"
)

var config = plugins.Config{Name: "redact", File: "redact.wasm"}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		body, want string // want empty: dropped
		runs       string
	}{
		{`{"file":"a.go","line":12345,"text":"call 5551234 or 123"}`, `{"file":"a.go","line":12345,"text":"call ####### or 123"}`, "1"},
		{`{"text":"1234"}`, `{"text":"####"}`, "1"},
		{`{"text":"a1234b99999c"}`, `{"text":"a####b#####c"}`, "2"},
		{`{"text":"\u12345\u00e9 0000"}`, `{"text":"\u12345\u00e9 ####"}`, "1"},
		{`{"text":"\u00001234"}`, `{"text":"\u0000####"}`, "1"},
		{`{"text":"\\1234\"5678"}`, `{"text":"\\####\"####"}`, "2"},
		{`{"text":"no numbers","id":"12345"}`, `{"text":"no numbers","id":"12345"}`, ""},
		{`{"text":"12\n34"}`, `{"text":"12\n34"}`, ""},
		{`{"text":""}`, "", ""},
		{`{"text":" \t\r\n "}`, "", ""},
		{`{"text":"\u0020"}`, `{"text":"\u0020"}`, ""},
		{`{"text": "12345"}`, `{"text": "12345"}`, ""},
		{`{"cpu_milli":123456}`, `{"cpu_milli":123456}`, ""},
		{`{"text":"12345`, `{"text":"12345`, ""},
		{`{"text":"12345\`, `{"text":"12345\`, ""},
		{``, ``, ""},
	} {
		out, drop := redactref.Apply([]byte(c.body))
		if drop != (c.want == "" && c.body != "") || string(out) != c.want {
			t.Errorf("reference: %s became %s, dropped %v", c.body, out, drop)
		}
		o := pluginstest.Run(t, config, pluginstest.Bodies(c.body)...)[0]
		if err := compare([]byte(c.body), o); err != nil {
			t.Error(err)
		}
		if got := header(o, "redacted"); got != c.runs {
			t.Errorf("%s: header redacted is %q, want %q", c.body, got, c.runs)
		}
	}
}

// compare holds the plugin's outcome against the reference.
func compare(body []byte, o plugins.Outcome) error {
	out, runs, drop := redactref.Redact(body)
	want, runText := plugins.Pass, ""
	if drop {
		want = plugins.Drop
	}
	if runs > 0 {
		runText = strconv.Itoa(runs)
	}
	switch {
	case o.Verdict != want:
		return fmt.Errorf("%q: verdict %s (%s), want %s", body, o.Verdict, o.Reason, want)
	case !drop && !bytes.Equal(o.Body, out):
		return fmt.Errorf("%q: became %q, want %q", body, o.Body, out)
	case !drop && o.Changed != (runs > 0):
		return fmt.Errorf("%q: changed is %v", body, o.Changed)
	case header(o, "redacted") != runText:
		return fmt.Errorf("%q: header redacted is %q, want %q", body, header(o, "redacted"), runText)
	}
	return nil
}

func header(o plugins.Outcome, name string) string {
	for _, h := range o.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func TestAgainstReference(t *testing.T) {
	h := pluginstest.New(t)
	p := h.Load(t, config)
	piece := rapid.SampledFrom([]string{`"text":"`, `"`, `\`, `\u`, `\n`, `\"`, `\\`, "1", "12", "1234", "00000", "a", "F", " ", "\t", "{", "}", "é", "\x00", "\xff"})
	rapid.Check(t, func(t *rapid.T) {
		var body []byte
		if rapid.Bool().Draw(t, "with text") {
			body = append(body, `{"text":"`...)
		}
		for _, s := range rapid.SliceOfN(piece, 0, 40).Draw(t, "pieces") {
			body = append(body, s...)
		}
		if err := compare(body, h.Run(p, pluginstest.Bodies(string(body))...)[0]); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzAgainstReference(f *testing.F) {
	h := pluginstest.New(f)
	p := h.Load(f, config)
	for _, seed := range []string{`{"text":"x 12345"}`, `{"text":"\u12`, `{"text":""}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := compare(body, h.Run(p, pluginstest.Bodies(string(body))...)[0]); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLargeBody(t *testing.T) {
	body := `{"text":"` + string(bytes.Repeat([]byte("0123456789 "), 400_000)) + `"}`
	patient := config
	patient.Limits.Timeout = 10 * time.Second
	o := pluginstest.Run(t, patient, pluginstest.Bodies(body)...)[0]
	if err := compare([]byte(body), o); err != nil {
		t.Errorf("4 MiB body: %s (%s), not as the reference", o.Verdict, o.Reason)
	}
}

func TestBuiltFileIsCurrent(t *testing.T) {
	if _, err := exec.LookPath("clang-22"); err != nil {
		const install = "clang-22 is missing; install it with: apt-get install -y clang-22 lld-22"
		if os.Getenv("CI") == "true" {
			t.Fatal(install)
		}
		t.Skip(install)
	}
	built := filepath.Join(t.TempDir(), "redact.wasm")
	out, err := exec.Command("sh", "build.sh", built).CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	got, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("redact.wasm")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, kept) {
		t.Error("redact.wasm is not what src/redact.c compiles to: run sh build.sh")
	}
}
