package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const count = 30 // messages of each stream

// sound is what was sent, of which every fifth message of stream 1 was refused and every seventh has an unknown outcome, and a file with
// the effects of both readers.
func sound() (sent [streams]stream, lines []line) {
	seq := uint64(10)
	for n := 1; n <= count; n++ {
		for i := range sent {
			sent[i].sent = n
			size := sizeOf(n, n%10 == 0)
			switch {
			case i == 1 && n%5 == 0:
				sent[i].refused.set(n)
				continue
			case i == 1 && n%7 == 0: // it did not arrive
				continue
			}
			sent[i].confirmed.set(n)
			b := body(i, n, size)
			for _, of := range readerNames {
				seq += 2
				lines = append(lines, line{Sender: of, Seq: seq, Data: string(b[:min(len(b), effect)])})
			}
		}
	}
	return sent, lines
}

func verify(t *testing.T, sent *[streams]stream, lines []line, restarts int) []Seen {
	t.Helper()
	var file bytes.Buffer
	for _, l := range lines {
		data, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(append(data, '\n'))
	}
	path := filepath.Join(t.TempDir(), "seen.jsonl")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	seen, err := readEffects(path, "reader-1", restarts, sent, true)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestSoundEffects(t *testing.T) {
	sent, lines := sound()
	for name, plant := range map[string]func() []line{
		"as it should be": func() []line { return lines },
		"a repetition":    func() []line { return slices.Insert(slices.Clone(lines), 40, lines[30:40]...) },
		"a repetition that was cut too": func() []line {
			return slices.Insert(slices.Clone(lines), 40, append(lines[30:36:36], lines[30:40]...)...)
		},
	} {
		for _, s := range verify(t, &sent, plant(), 2) {
			if !s.kept() || s.Effects != 3*count-count/5-count/7 {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

// TestBrokenEffects plants one fault at a time into the effects of the first reader.
func TestBrokenEffects(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(sent *[streams]stream, l []line) []line
		want  string
		field func(*Seen) int
	}{
		"lost":                     {func(_ *[streams]stream, l []line) []line { return slices.Delete(l, 40, 41) }, "was confirmed and is not there", func(s *Seen) int { return s.Lost }},
		"confirmed but not there":  {func(s *[streams]stream, l []line) []line { s[1].confirmed.set(14); return l }, "was confirmed and is not there", func(s *Seen) int { return s.Lost }},
		"twice":                    {func(_ *[streams]stream, l []line) []line { return append(l, line{readerNames[0], 1e6, l[40].Data}) }, "had its effect twice", func(s *Seen) int { return s.Twice }},
		"never sent":               {func(_ *[streams]stream, l []line) []line { return append(l, line{readerNames[0], 1e6, "0 31 "}) }, "nobody sent", func(s *Seen) int { return s.Invented }},
		"changed":                  {func(_ *[streams]stream, l []line) []line { l[40].Data += "x"; return l }, "nobody sent", func(s *Seen) int { return s.Invented }},
		"refused, but there":       {func(s *[streams]stream, l []line) []line { s[0].refused.set(3); return l }, "was refused", func(s *Seen) int { return s.Invented }},
		"out of order":             {func(_ *[streams]stream, l []line) []line { l[40].Data, l[60].Data = l[60].Data, l[40].Data; return l }, "came after", func(s *Seen) int { return s.OutOfOrder }},
		"sequences out of order":   {func(_ *[streams]stream, l []line) []line { l[40], l[42] = l[42], l[40]; return l }, "came after", func(s *Seen) int { return s.OutOfOrder }},
		"a repetition with a hole": {func(_ *[streams]stream, l []line) []line { return slices.Insert(l, 40, l[30], l[34], l[36], l[38]) }, "left out", func(s *Seen) int { return s.OutOfOrder }},
		"a repetition cut short":   {func(_ *[streams]stream, l []line) []line { return slices.Insert(l, 40, l[30], l[32]) }, "ended before", func(s *Seen) int { return s.OutOfOrder }},
		"one too many":             {func(_ *[streams]stream, l []line) []line { return slices.Insert(l, 40, l[38], l[38], l[38]) }, "without a kill", func(s *Seen) int { return s.Twice }},
	} {
		sent, lines := sound()
		seen := verify(t, &sent, c.plant(&sent, lines), 2)[0]
		if seen.kept() || c.field(&seen) == 0 || !strings.Contains(strings.Join(seen.Examples, "\n"), c.want) {
			t.Errorf("%s: %+v, want %q", name, seen, c.want)
		}
	}
}

func TestTornLines(t *testing.T) {
	text := `{"sender":"a","seq":1,"data":"x"}` + "\n" + `{"sender":"a","se` + "\n" + `{"sender":"a","seq":2,"data":"y"}` + "\n"
	var got []string
	torn, err := eachLine(strings.NewReader(text), func(l *line) { got = append(got, l.Data) })
	if torn != 1 || err != nil || fmt.Sprint(got) != "[x y]" {
		t.Errorf("%d torn lines, %v, %v", torn, got, err)
	}
}

func TestPluginIsCurrent(t *testing.T) {
	out := filepath.Join(t.TempDir(), "echo.wasm")
	if text, err := exec.Command("wat2wasm", "echo.wat", "-o", out).CombinedOutput(); err != nil {
		t.Skipf("cannot rebuild the plugin (apt-get install -y wabt): %v %s", err, text)
	}
	if fresh, err := os.ReadFile(out); err != nil || !bytes.Equal(fresh, echo) {
		t.Errorf("echo.wasm is not what echo.wat makes: run wat2wasm echo.wat -o echo.wasm (%v)", err)
	}
}
