package main

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// message is a line of a file, with a text, or a sample of numbers.
type message struct {
	File string  `json:"file"`
	Line int64   `json:"line"`
	Text *string `json:"text"`
}

// parse reads a message. Nearly all are lines in one exact form, which is read by hand because encoding/json would take most of a call's time;
// everything else, and all that is doubtful, goes to encoding/json, so that both ways agree.
func parse(body []byte) (message, error) {
	if m, ok := parseLine(body); ok {
		return m, nil
	}
	var m message
	err := json.Unmarshal(body, &m)
	return m, err
}

// parseLine reads {"file":"…","line":…,"text":"…"} with no other escapes than \n, \r, \t, \" and \\.
func parseLine(b []byte) (m message, ok bool) {
	if b, ok = bytes.CutPrefix(b, []byte(`{"file":"`)); !ok {
		return m, false
	}
	if m.File, b, ok = parseString(b); !ok {
		return m, false
	}
	if b, ok = bytes.CutPrefix(b, []byte(`,"line":`)); !ok {
		return m, false
	}
	if m.Line, b, ok = parseNumber(b); !ok {
		return m, false
	}
	if b, ok = bytes.CutPrefix(b, []byte(`,"text":"`)); !ok {
		return m, false
	}
	text, b, ok := parseString(b)
	m.Text = &text
	return m, ok && len(b) == 1 && b[0] == '}'
}

// parseNumber reads up to 18 digits, the first not zero.
func parseNumber(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < 19 && b[i] >= '0' && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	return n, b[i:], i > 0 && i < 19 && b[0] != '0'
}

// parseString reads what follows an opening quote, up to and with the closing one.
func parseString(b []byte) (s string, rest []byte, ok bool) {
	end := bytes.IndexByte(b, '"')
	if end >= 0 && bytes.IndexByte(b[:end], '\\') < 0 {
		return string(b[:end]), b[end+1:], plain(b[:end])
	}
	var out []byte
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return string(out), b[i+1:], plain(b[:i])
		case '\\':
			i++
			if i == len(b) {
				return "", nil, false
			}
			c := unescape(b[i])
			if c == 0 {
				return "", nil, false
			}
			out = append(out, c)
		default:
			out = append(out, b[i])
		}
	}
	return "", nil, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '"', '\\':
		return c
	}
	return 0
}

// plain tells whether encoding/json would take the bytes as they are.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' {
			return false
		}
	}
	return utf8.Valid(b)
}
