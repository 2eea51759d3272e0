package wire

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

func appendUint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendString(dst []byte, s string) []byte {
	return append(appendUint(dst, uint64(len(s))), s...)
}

// appendText appends s as valid UTF-8, cut to MaxText bytes at the start of a character.
func appendText(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > MaxText {
		n := MaxText
		for !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return appendString(dst, s)
}

func appendPosition(dst []byte, p Position) []byte {
	return appendUint(append(dst, p.Run[:]...), p.Seq)
}
func appendSession(dst []byte, s Session) []byte {
	return appendUint(append(dst, s.Run[:]...), s.Counter)
}

// zigzag folds a signed number so that small ones of either sign become small.
func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
