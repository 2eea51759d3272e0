package connect

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// line is one line of a source, or a piece of one that is too long.
type line struct {
	text []byte // without its line feed
	end  int    // bytes from the start of the data to behind it, line feed included
	last bool   // whether the line ends here
}

// split takes lines off the start of data, at most count of them. A line without its line feed is left there, unless it is too
// long or final is set.
func split(data []byte, count int, final bool) []line {
	var lines []line
	for at := 0; at < len(data) && len(lines) < count; {
		rest := data[at:]
		length := bytes.IndexByte(rest, '\n')
		switch {
		case length >= 0 && length <= maxLine:
			lines = append(lines, line{text: rest[:length:length], end: at + length + 1, last: true})
			at += length + 1
		case length > maxLine || len(rest) > maxLine:
			cut := wholeRunes(rest[:maxLine])
			lines = append(lines, line{text: rest[:cut:cut], end: at + cut})
			at += cut
		case final:
			lines = append(lines, line{text: rest[:len(rest):len(rest)], end: len(data), last: true})
			return lines
		default:
			return lines
		}
	}
	return lines
}

// wholeRunes returns how much of text to take so as not to cut a letter in two.
func wholeRunes(text []byte) int {
	for back := 1; back < utf8.UTFMax && back < len(text); back++ {
		if at := len(text) - back; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				return at
			}
			break
		}
	}
	return len(text)
}

// tagger renders a line as JSON: {"file":path,"line":number,"text":line}. Bytes that are no UTF-8 become U+FFFD.
type tagger struct{ prefix []byte }

func newTagger(file string) tagger {
	return tagger{prefix: append(append([]byte(`{"file":`), quote(file)...), `,"line":`...)}
}

func (t tagger) render(number int64, text []byte) []byte {
	out := make([]byte, 0, len(t.prefix)+len(text)+48)
	out = append(out, t.prefix...)
	out = strconv.AppendInt(out, number, 10)
	out = append(out, `,"text":`...)
	out = append(out, quote(string(text))...)
	return append(out, '}')
}

// quote renders a JSON string and leaves <, > and & readable.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always has a JSON form
		return []byte(`""`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
