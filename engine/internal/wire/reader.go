package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// reader takes fields off the front of b. After the first field that is cut short or out of bounds it is bad for good and returns zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() { r.b, r.bad = nil, true }

// take returns the next n bytes; they alias the input.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// bool reads one byte that is 0 or 1.
func (r *reader) bool() bool { return r.max8(1) == 1 }

// max8 reads one byte up to limit.
func (r *reader) max8(limit byte) byte {
	c := r.byte()
	if c > limit {
		r.fail()
		return 0
	}
	return c
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// upTo reads a number that is at most limit.
func (r *reader) upTo(limit uint64) uint64 {
	v := r.uint()
	if v > limit {
		r.fail()
		return 0
	}
	return v
}

// count reads the number of elements of a list of at most limit, each of at least size bytes, so that it can be allocated for.
func (r *reader) count(limit, size int) int {
	n := r.upTo(uint64(limit))
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) time() int64 { return int64(r.upTo(MaxTime)) }

func (r *reader) id() (id ID) {
	copy(id[:], r.take(16))
	return id
}

func (r *reader) position() Position { return Position{Run: r.id(), Seq: r.uint()} }
func (r *reader) session() Session   { return Session{Run: r.id(), Counter: r.uint()} }

// name reads a legal name. It returns old, without allocating, when the name is the same.
func (r *reader) name(old string) string {
	s := r.optionalName(old)
	if s == "" {
		r.fail()
	}
	return s
}

// optionalName reads a legal name or nothing.
func (r *reader) optionalName(old string) string {
	p := r.take(r.upTo(MaxName))
	if len(p) == 0 {
		return ""
	}
	for _, c := range p {
		if !legal[c] {
			r.fail()
			return ""
		}
	}
	if string(p) == old {
		return old
	}
	return string(p)
}

// text reads valid UTF-8 of at most MaxText bytes.
func (r *reader) text() string {
	p := r.take(r.upTo(MaxText))
	if !utf8.Valid(p) {
		r.fail()
		return ""
	}
	return string(p)
}

// end says whether everything was read, and well.
func (r *reader) end() error {
	if r.bad || len(r.b) != 0 {
		return ErrMalformed
	}
	return nil
}
