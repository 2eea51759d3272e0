package abi

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Bounds of names, in bytes.
const (
	MaxChannel    = 64
	MaxHeaderName = 256
	MaxStatName   = 64
)

// AppendCount starts a header block (field 4): the number of headers, u32 little-endian. AppendHeader follows once for each.
func AppendCount(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

// AppendHeader appends one header to a block: u32 length, name, u32 length, value, little-endian.
func AppendHeader(b []byte, name, value string) []byte {
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(name))), name...)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(value))), value...)
}

// Window is the part of a field of n bytes that a guest asks for with an offset and a buffer's capacity: field[from:to], which is
// empty when the offset is at or past the end.
func Window(n int, off, capacity uint32) (from, to int) {
	from = int(min(uint64(off), uint64(n)))
	to = int(min(uint64(from)+uint64(capacity), uint64(n)))
	return from, to
}

// Length is a field's full length as an i32 result; what i32 cannot hold is reported as its largest value.
func Length(n int) int32 { return int32(min(n, math.MaxInt32)) }

// ValidChannel tells whether b may name a channel: 1 to 64 letters, digits, '-' or '_'.
func ValidChannel[T ~string | ~[]byte](b T) bool {
	if len(b) == 0 || len(b) > MaxChannel {
		return false
	}
	for i := range len(b) {
		c := b[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// ValidHeaderName tells whether b may name a header: 1 to 256 bytes of UTF-8 without control characters.
func ValidHeaderName(b []byte) bool { return len(b) <= MaxHeaderName && plain(b) }

// ValidStatName tells whether b may name a counter: 1 to 64 bytes of UTF-8 without control characters.
func ValidStatName(b []byte) bool { return len(b) <= MaxStatName && plain(b) }

func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}

// AppendCounter appends a counter as kv_add stores it: eight bytes, little-endian, two's complement.
func AppendCounter(b []byte, n int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(n)) }

// Counter reads a counter; ok is false if v is not eight bytes.
func Counter(v []byte) (n int64, ok bool) {
	if len(v) != 8 {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(v)), true
}

// MinCounter is the smallest counter. The sixteen values below it are kv_add's errors.
const MinCounter = math.MinInt64 + 16

// Add is a counter plus a delta; ok is false when the sum does not lie in MinCounter to the largest int64.
func Add(n, delta int64) (sum int64, ok bool) {
	sum = n + delta
	overflow := (delta > 0 && sum < n) || (delta < 0 && sum > n)
	return sum, !overflow && sum >= MinCounter
}

// AddError is kv_add's result for one of the error codes: the smallest int64 plus the code's distance from zero.
func AddError(code int32) int64 { return math.MinInt64 - int64(code) }
