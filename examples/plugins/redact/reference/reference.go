// Package redactref says in Go what the redact plugin does, so that its work can be checked.
package redactref

import "bytes"

const minRun = 4

var key = []byte(`"text":"`)

// Apply is what becomes of a body: its redacted form, or drop if it has an empty text. body is not changed.
func Apply(body []byte) (out []byte, drop bool) {
	out, _, drop = Redact(body)
	return out, drop
}

// Redact is Apply with the number of runs of digits that were replaced, which the plugin puts into the header "redacted" if it is not zero.
func Redact(body []byte) (out []byte, runs int, drop bool) {
	at := bytes.Index(body, key)
	if at < 0 {
		return body, 0, false
	}
	from := at + len(key)
	end, blank, ok := scan(body, from)
	switch {
	case !ok:
		return body, 0, false
	case blank:
		return nil, 0, true
	}
	out = bytes.Clone(body)
	for i := from; i < end; {
		if out[i] == '\\' {
			i += escape(out, i)
			continue
		}
		run := 0
		for i+run < end && digit(out[i+run]) {
			run++
		}
		if run >= minRun {
			copy(out[i:], bytes.Repeat([]byte("#"), run))
			runs++
		}
		i += max(run, 1)
	}
	return out, runs, false
}

// scan finds the quote that ends the text starting at from; blank tells whether the text is white space only.
func scan(b []byte, from int) (end int, blank, ok bool) {
	blank = true
	for i := from; i < len(b); {
		switch c := b[i]; c {
		case '"':
			return i, blank, true
		case '\\':
			if i+1 == len(b) {
				return 0, false, false
			}
			blank = blank && bytes.IndexByte([]byte("tnr"), b[i+1]) >= 0
			i += escape(b, i)
		default:
			blank = blank && bytes.IndexByte([]byte(" \t\n\r"), c) >= 0
			i++
		}
	}
	return 0, false, false
}

// escape is the length of the escape sequence at i, which is not the last byte.
func escape(b []byte, i int) int {
	n := 2
	if b[i+1] == 'u' {
		for n < 6 && i+n < len(b) && hexadecimal(b[i+n]) {
			n++
		}
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func hexadecimal(c byte) bool { return digit(c) || (c|0x20 >= 'a' && c|0x20 <= 'f') }
