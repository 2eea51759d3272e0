package connect

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSplitTakesEveryByteOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(rapid.StringOf(rapid.SampledFrom([]rune("ab\n\r☃"))).Draw(t, "data"))
		count, final := rapid.IntRange(1, 5).Draw(t, "count"), rapid.Bool().Draw(t, "final")
		lines := split(data, count, final)
		var joined []byte
		for i, l := range lines {
			joined = append(joined, l.text...)
			if l.end > len(joined) {
				joined = append(joined, '\n')
			}
			if l.end != len(joined) || bytes.Contains(l.text, []byte("\n")) || !l.last {
				t.Fatalf("line %d: %+v of %q", i, l, data)
			}
		}
		if !bytes.HasPrefix(data, joined) || len(lines) > count {
			t.Fatalf("%q of %q", joined, data)
		}
		rest := data[len(joined):]
		if len(lines) < count && (bytes.Contains(rest, []byte("\n")) || final && len(rest) > 0) {
			t.Fatalf("left %q of %q", rest, data)
		}
	})
}

func TestLongLinesBecomeSeveralMessages(t *testing.T) {
	data := []byte(strings.Repeat("é", maxLine) + "\nx\n") // two bytes each, and maxLine is even: shift by one
	data = append([]byte("y"), data...)
	lines := split(data, 10, false)
	var joined []byte
	for i, l := range lines {
		if len(l.text) > maxLine || !utf8.Valid(l.text) {
			t.Errorf("piece %d has %d bytes, valid %v", i, len(l.text), utf8.Valid(l.text))
		}
		joined = append(joined, l.text...)
		if l.last {
			joined = append(joined, '\n')
		}
	}
	if !bytes.Equal(joined, data) || len(lines) != 4 || lines[0].last || !lines[2].last {
		t.Errorf("%d pieces, %d of %d bytes", len(lines), len(joined), len(data))
	}
}

func TestTaggedLinesAreJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, text := rapid.String().Draw(t, "file"), rapid.String().Draw(t, "text")
		var got struct {
			File string
			Line int64
			Text string
		}
		if err := json.Unmarshal(newTagger(file).render(7, []byte(text)), &got); err != nil || got.File != file || got.Line != 7 || got.Text != text {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}
