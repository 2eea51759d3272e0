package connect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func record(data string) *Record {
	return &Record{ID: "i", Channel: "c", Sender: "s", Seq: 7, Created: time.UnixMilli(1234), Data: []byte(data), Headers: []Header{{"a", "<1>"}, {"b", "2"}}}
}

func TestFormats(t *testing.T) {
	for data, want := range map[string]string{
		"x\"y": `{"id":"i","channel":"c","sender":"s","seq":7,"created_ms":1234,"headers":{"a":"<1>","b":"2"},"data":"x\"y"}` + "\n",
		"\xff": `{"id":"i","channel":"c","sender":"s","seq":7,"created_ms":1234,"headers":{"a":"<1>","b":"2"},"data_base64":"/w=="}` + "\n",
	} {
		var b bytes.Buffer
		if err := NewStream(&b, FormatJSON).Write(record(data)); err != nil || b.String() != want || !json.Valid(b.Bytes()) {
			t.Errorf("got %s, %v, want %s", b.String(), err, want)
		}
		b.Reset()
		if err := NewStream(&b, FormatRaw).Write(record(data)); err != nil || b.String() != data+"\n" {
			t.Errorf("got %q, %v", b.String(), err)
		}
	}
}

func TestAppendFile(t *testing.T) {
	for name, sync := range map[string]bool{"sync": true, "no sync": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "new", "out.txt")
			content := func() string {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				return string(data)
			}
			open := func() Output {
				out, err := NewAppendFile(path, FormatRaw, sync)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			put := func(out Output, text string) {
				if err := out.Write(record(text)); err != nil {
					t.Fatal(err)
				}
			}
			out := open()
			put(out, "one")
			put(out, "two")
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("one\ntwo\nto"), 0o600); err != nil { // cut off by a power failure
				t.Fatal(err)
			}
			out = open()
			put(out, "three")
			if got := content(); got != "one\ntwo\nto\nthree\n" {
				t.Errorf("got %q", got)
			}
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			out.(*appendFile).checked = time.Time{}
			put(out, "four")
			if got := content(); got != "four\n" {
				t.Errorf("after a rotation: %q", got)
			}
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAppendFileSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewAppendFile(filepath.Join(file, "x"), FormatRaw, false); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
	out, err := NewAppendFile("/dev/full", FormatRaw, false)
	if err != nil {
		t.Skip("this system has no /dev/full:", err)
	}
	defer out.Close()
	if err := out.Write(record("x")); err == nil {
		t.Error("a write to a full disk succeeded")
	}
}

func TestStdinLines(t *testing.T) {
	for tagged, want := range map[bool][]string{
		false: {"one", "", "three"},
		true:  {`{"file":"stdin","line":1,"text":"one"}`, `{"file":"stdin","line":2,"text":""}`, `{"file":"stdin","line":3,"text":"three"}`},
	} {
		sink := &fakeSink{refuse: 2}
		if err := NewStdin(strings.NewReader("one\n\nthree"), tagged, sink, zerolog.Nop()).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		sink.await(t, want...)
	}
}

func TestStdinManyLines(t *testing.T) {
	var want []string
	for range 3 * maxBatch {
		want = append(want, strings.Repeat("x", 150))
	}
	sink := &fakeSink{}
	if err := NewStdin(strings.NewReader(strings.Join(want, "\n")), false, sink, zerolog.Nop()).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	sink.await(t, want...)
}

func TestTelemetry(t *testing.T) {
	sink := &fakeSink{}
	run(t, NewTelemetry(NewReader(t.TempDir()), 10*time.Millisecond, sink, zerolog.Nop()))
	deadline := time.Now().Add(patience)
	for len(sink.all()) < 3 {
		if time.Now().After(deadline) {
			t.Fatal("no samples")
		}
		time.Sleep(time.Millisecond)
	}
	var s Sample
	if err := json.Unmarshal([]byte(sink.all()[2]), &s); err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if s.Host != host || s.MemTotalKiB <= 0 || s.MemUsedKiB <= 0 || s.DiskTotalKiB <= 0 || s.AtMs < 1e12 || s.CPUMilli < 0 {
		t.Errorf("%+v", s)
	}
}
