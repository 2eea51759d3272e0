package meter

import (
	"unicode/utf8"
)

// reader takes values off the front of b. The first that cannot be had makes it fail for good: from then on it gives zeros, and it is
// empty, so that a loop over what is left ends.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) cut() { r.fail(malformed("ends in the middle of a value")) }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.cut()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.b)) {
		r.cut()
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

// zero takes a byte that has to be 0.
func (r *reader) zero(what string) {
	if c := r.byte(); c != 0 {
		r.fail(malformed("%s is %d, not 0", what, c))
	}
}

// u32 is an unsigned LEB128 number of at most five bytes.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c&0x80 == 0 {
			return v
		}
	}
	r.fail(malformed("a number has more than 32 bits"))
	return 0
}

// signed is a signed LEB128 number of n bits. Bits above them must repeat the sign.
func (r *reader) signed(n int) int64 {
	var v int64
	for shift := 0; shift < n; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if rest := n - shift; rest < 7 {
			// The sign bit of the number and everything above it.
			top := int8(c<<1) >> 1 >> (rest - 1)
			if c&0x80 != 0 || (top != 0 && top != -1) {
				break
			}
		}
		if c&0x80 == 0 {
			if shift+7 < 64 && c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	r.fail(malformed("a number has more than %d bits", n))
	return 0
}

// count is the length of a vector whose items take at least size bytes each. It is within the bound, and what follows is long enough for it.
func (r *reader) count(what string, most uint64, size int) int {
	n := r.u32()
	if err := bound(what, uint64(n), most); err != nil {
		r.fail(err)
		return 0
	}
	if uint64(n)*uint64(size) > uint64(len(r.b)) {
		r.cut()
		return 0
	}
	return int(n)
}

// index is a number below n.
func (r *reader) index(what string, n int) uint32 {
	v := r.u32()
	if r.err == nil && uint64(v) >= uint64(n) {
		r.fail(malformed("%s %d does not exist", what, v))
		return 0
	}
	return v
}

// name is a string in UTF-8.
func (r *reader) name() []byte {
	b := r.take(r.u32())
	if !utf8.Valid(b) {
		r.fail(malformed("a name is not UTF-8"))
	}
	return b
}

// end is the error so far, or that something is left over.
func (r *reader) end(what string) error {
	if r.err == nil && len(r.b) > 0 {
		r.fail(malformed("%s is longer than what is in it", what))
	}
	return r.err
}
