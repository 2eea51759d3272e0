package abi

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

// decode reads a header block as docs/abi.md describes it; ok is false for one that is cut or has something behind its end.
func decode(b []byte) (headers [][2]string, ok bool) {
	text := func() (s string, ok bool) {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return "", false
		}
		n := 4 + int(binary.LittleEndian.Uint32(b))
		s, b = string(b[4:n]), b[n:]
		return s, true
	}
	if len(b) < 4 {
		return nil, false
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	for range count {
		name, good := text()
		value, alsoGood := text()
		if !good || !alsoGood {
			return nil, false
		}
		headers = append(headers, [2]string{name, value})
	}
	return headers, len(b) == 0
}

func encode(headers [][2]string) []byte {
	b := AppendCount(nil, len(headers))
	for _, h := range headers {
		b = AppendHeader(b, h[0], h[1])
	}
	return b
}

func TestHeaderBlockBytes(t *testing.T) {
	want := "\x02\x00\x00\x00" + "\x01\x00\x00\x00a" + "\x02\x00\x00\x00xy" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	if got := string(encode([][2]string{{"a", "xy"}, {"", ""}})); got != want {
		t.Errorf("block is %q, want %q", got, want)
	}
}

func FuzzHeaderBlock(f *testing.F) {
	f.Add("a", "1", "", "")
	f.Add(strings.Repeat("n", 300), "\x00", "ü", "\xff")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		in := [][2]string{{n1, v1}, {n2, v2}}
		out, ok := decode(encode(in))
		if !ok || len(out) != 2 || out[0] != in[0] || out[1] != in[1] {
			t.Errorf("%q became %q, %v", in, out, ok)
		}
	})
}

// FuzzDecode shows that what decodes is exactly what the encoder writes for it.
func FuzzDecode(f *testing.F) {
	f.Add(encode([][2]string{{"a", "b"}}))
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if headers, ok := decode(b); ok && string(encode(headers)) != string(b) {
			t.Errorf("%x is another encoding of %q", b, headers)
		}
	})
}

func FuzzWindow(f *testing.F) {
	f.Add(10, uint32(3), uint32(4))
	f.Add(0, uint32(math.MaxUint32), uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, n int, off, capacity uint32) {
		n = max(n, 0)
		from, to := Window(n, off, capacity)
		want := uint64(0)
		if uint64(off) < uint64(n) {
			want = min(uint64(n)-uint64(off), uint64(capacity))
		}
		if from < 0 || to < from || to > n || uint64(to-from) != want || (want > 0 && uint64(from) != uint64(off)) {
			t.Errorf("window of %d at %d, %d: %d to %d", n, off, capacity, from, to)
		}
	})
}

func TestLength(t *testing.T) {
	if Length(5) != 5 || Length(math.MaxInt32+1) != math.MaxInt32 {
		t.Errorf("%d, %d", Length(5), Length(math.MaxInt32+1))
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "a", "a.b", "a-b_C9", strings.Repeat("x", 64), strings.Repeat("x", 65), "ü", "\x7f", "\xff", strings.Repeat("x", 257)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		legal := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" && len(s) >= 1 && len(s) <= 64
		if inner := strings.ContainsFunc(s, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r)
		}); ValidChannel(s) != (legal && !inner) {
			t.Errorf("channel %q: %v", s, ValidChannel(s))
		}
		text := utf8.ValidString(s) && s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
		if ValidHeaderName([]byte(s)) != (text && len(s) <= 256) || ValidStatName([]byte(s)) != (text && len(s) <= 64) {
			t.Errorf("name %q: %v, %v", s, ValidHeaderName([]byte(s)), ValidStatName([]byte(s)))
		}
	})
}

func TestCounters(t *testing.T) {
	for _, c := range []struct {
		n, delta, sum int64
		ok            bool
	}{
		{1, 2, 3, true}, {0, MinCounter, MinCounter, true}, {MinCounter, -1, 0, false}, {math.MaxInt64, 1, 0, false},
		{math.MaxInt64, math.MinInt64, -1, true}, {-1, math.MinInt64, 0, false}, {math.MinInt64, 0, 0, false},
	} {
		if sum, ok := Add(c.n, c.delta); ok != c.ok || (ok && sum != c.sum) {
			t.Errorf("%d plus %d: %d, %v", c.n, c.delta, sum, ok)
		}
	}
	for _, code := range []int32{Absent, Argument, Limit, Denied, Misplaced} {
		if e := AddError(code); e >= MinCounter || -(e-math.MinInt64) != int64(code) {
			t.Errorf("error %d is %d", code, e)
		}
	}
	if n, ok := Counter(AppendCounter(nil, -2)); n != -2 || !ok {
		t.Errorf("%d, %v", n, ok)
	}
	if _, ok := Counter([]byte("1234567")); ok {
		t.Error("seven bytes are a counter")
	}
}

func TestSignatures(t *testing.T) {
	for want, s := range map[string]Signature{"()": {}, "(i32,i64)->i32": {"il", "i"}, "(f32)->(f64,other)": {"f", "d?"}} {
		if s.String() != want {
			t.Errorf("%v shows as %s", s, s)
		}
	}
}
