package router

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The fixture tally.wasm is a filter that counts its calls and emits the count; a digit of the message is its verdict.
const tallies = quick + `
plugins:
  - {name: a, file: testdata/tally.wasm, allow: {emit: [counts], kv: true}}
  - {name: b, file: testdata/tally.wasm, allow: {emit: [counts], kv: true}}
channels:
  - {name: counts, own: true, consumer: none}
`

func tally(t *testing.T, r *Router, a, b, counts int64) {
	t.Helper()
	account(t, r, "counts", counts)
	if gotA, gotB := counter(t, r, "a", "n"), counter(t, r, "b", "n"); gotA != a || gotB != b {
		t.Errorf("counted %d and %d, want %d and %d", gotA, gotB, a, b)
	}
}

func TestWhatAFilterDidBeforeAnotherRefusedIsDiscarded(t *testing.T) {
	f := newFolder(t)
	r := f.start(tallies + "  - {name: in, own: true, inbound: [a, b], consumer: none}\n")
	send(t, r, "in", "00", "02 held", "00", "03 dead", "00", "1 dropped", "01 dropped", "00")
	if got := account(t, r, "in", 8); got.Handled != 6 || got.Dead != 2 {
		t.Errorf("%+v", got)
	}
	tally(t, r, 6, 5, 11)
}

func TestASendThatWasRefusedHasNoEffects(t *testing.T) {
	f := newFolder(t)
	r := f.start(tallies + "  - {name: out, outbound: [a, b], mode: write}\n")
	for _, body := range []string{"00", "02", "03", "00", "1", "01"} {
		refused := strings.HasPrefix(body, "02") || strings.HasPrefix(body, "03")
		if err := trySend(t, r, "out", body); (err != nil) != refused {
			t.Errorf("%s: %v", body, err)
		}
	}
	tally(t, r, 4, 3, 7)
}

func TestARefusedLineOfAnInputHasNoEffects(t *testing.T) {
	f := newFolder(t)
	if err := os.WriteFile(f.file("in.log"), []byte("00\n03 rejected\n00\n02 held\n00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := f.start(tallies + "  - {name: out, outbound: [a, b], mode: write}\ninputs: [{name: i, type: file, path: DIR/in.log, channel: out}]\n")
	eventually(t, func() (bool, string) { // the held line is tried again and again
		return r.Status().Plugins[0].Calls > 10, f.log.String()
	})
	tally(t, r, 2, 2, 4)
}

// The counter's emits go through a filter that holds the fiftieth, whose first byte is the digit 2: that count must never become true.
func TestAHeldEmitDiscardsItsCause(t *testing.T) {
	f := newFolder(t)
	r := f.start(quick + `
plugins:
  - {name: count, file: WASM/counter.wasm, allow: {emit: [out], kv: true}}
  - {name: f, file: WASM/verdict.wasm, on_error: pass}
channels:
  - {name: in, own: true, consumer: count}
  - {name: out, own: true, outbound: [f], consumer: none}
`)
	for range 55 {
		send(t, r, "in", "x")
	}
	if got := account(t, r, "in", 55); got.Handled != 49 || got.Dead != 6 {
		t.Errorf("%+v", got)
	}
	account(t, r, "out", 48) // the forty-ninth is dropped
	if n := counter(t, r, "count", "n"); n != 49 {
		t.Errorf("counted %d, want 49", n)
	}
}

func TestConcurrentSendsThroughTheSameFiltersKeepTheOrderOfCommits(t *testing.T) {
	f := newFolder(t)
	r := f.start(tallies + "  - {name: x, outbound: [a, b], mode: write}\n  - {name: y, outbound: [b, a], mode: write}\n")
	const senders, each = 8, 40
	var done sync.WaitGroup
	for i := range senders {
		done.Go(func() {
			for range each {
				if err := trySend(t, r, []string{"x", "y"}[i%2], "00"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	tally(t, r, senders*each, senders*each, 2*senders*each)
}

func TestGatesCoverWhatEmitsMayMeet(t *testing.T) {
	f := newFolder(t)
	r := f.start(`
plugins:
  - {name: c, file: testdata/tally.wasm, allow: {kv: true}}
  - {name: b, file: testdata/tally.wasm, allow: {emit: [second], kv: true}}
  - {name: a, file: testdata/tally.wasm, allow: {emit: [first], kv: true}}
  - {name: free, file: WASM/verdict.wasm, allow: {emit: [second]}}
channels:
  - {name: first, mode: write, outbound: [b]}
  - {name: second, mode: write, outbound: [c]}
`)
	for name, want := range map[string]string{"a": "abc", "b": "bc", "c": "c", "free": "c", "nothing": ""} {
		got := ""
		for _, g := range r.gatesFor(name) {
			got += g.name
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestFixtureIsCurrent(t *testing.T) {
	out := filepath.Join(t.TempDir(), "tally.wasm")
	if text, err := exec.Command("wat2wasm", "testdata/tally.wat", "-o", out).CombinedOutput(); err != nil {
		t.Skipf("cannot rebuild the fixture (apt-get install -y wabt): %v %s", err, text)
	}
	fresh, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile("testdata/tally.wasm")
	if err != nil || !bytes.Equal(fresh, stored) {
		t.Errorf("testdata/tally.wasm is not what tally.wat makes: run wat2wasm testdata/tally.wat -o testdata/tally.wasm (%v)", err)
	}
}
