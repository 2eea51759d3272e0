// Package screen looks over a module before the compiler sees it. Some modules of a few bytes cost the compiler gigabytes or the
// process its life, so that what is out of proportion has to be refused by its structure alone.
//
// It reads section headers, tables and the local variables of each function; whether the module is valid is the compiler's business.
package screen

import (
	"bytes"
	"errors"
	"fmt"
)

// Bounds. Compilers of real languages stay far below them.
const (
	MaxModule       = 64 << 20  // bytes
	MaxFunctionBody = 256 << 10 // bytes
	MaxLocals       = 2000      // of one function, beside its parameters
	MaxFunctions    = 50_000
	MaxTable        = 100_000 // elements at the start, all tables together
)

var (
	// ErrNotWasm means the bytes are not a WebAssembly module of version 1.
	ErrNotWasm = errors.New("is not a WebAssembly module")
	// ErrComponent means the bytes are a component, which the host cannot run.
	ErrComponent = errors.New("is a component; the host runs core modules only: build for wasm32-wasip1 or wasm32-unknown-unknown, without the component step")
	// ErrBounds means a part of the module is above one of the bounds.
	ErrBounds = errors.New("is out of bounds")
	errCut    = errors.New("ends in the middle of a section")
)

// Info is what the look-over learned.
type Info struct {
	GoGuest bool // compiled by Go, whose runtime needs more memory than others
}

const (
	sectionCustom = 0
	sectionTable  = 4
	sectionCode   = 10
)

// Module looks over a module.
func Module(b []byte) (Info, error) {
	var info Info
	if len(b) > MaxModule {
		return info, fmt.Errorf("%w: %d bytes, at most %d", ErrBounds, len(b), MaxModule)
	}
	if len(b) < 8 || !bytes.Equal(b[:4], []byte("\x00asm")) {
		return info, ErrNotWasm
	}
	if b[6] == 1 && b[7] == 0 {
		return info, ErrComponent
	}
	if !bytes.Equal(b[4:8], []byte{1, 0, 0, 0}) {
		return info, ErrNotWasm
	}
	r := reader{b: b[8:]}
	for len(r.b) > 0 && !r.bad {
		id := r.byte()
		section := reader{b: r.take(r.u32())}
		if r.bad {
			break
		}
		switch id {
		case sectionCustom:
			info.GoGuest = info.GoGuest || goMark(section)
		case sectionTable:
			if err := tables(section); err != nil {
				return info, err
			}
		case sectionCode:
			if err := code(section); err != nil {
				return info, err
			}
		}
	}
	if r.bad {
		return info, errCut
	}
	return info, nil
}

// goMark tells whether a custom section is one that only Go's linker writes.
func goMark(r reader) bool {
	name := string(r.take(r.u32()))
	return name == "go:buildid" || name == "go.buildid" || (name == "producers" && bytes.Contains(r.b, []byte("\x02Go")))
}

func tables(r reader) error {
	var total uint64
	for n := r.u32(); n > 0 && !r.bad; n-- {
		r.byte() // element type
		flags := r.byte()
		total += uint64(r.u32())
		if flags&1 != 0 {
			r.u32() // the most it may grow to
		}
		if total > MaxTable {
			return fmt.Errorf("%w: tables of %d elements, at most %d", ErrBounds, total, MaxTable)
		}
	}
	if r.bad {
		return errCut
	}
	return nil
}

func code(r reader) error {
	count := r.u32()
	if count > MaxFunctions {
		return fmt.Errorf("%w: %d functions, at most %d", ErrBounds, count, MaxFunctions)
	}
	for i := uint32(0); i < count && !r.bad; i++ {
		body := reader{b: r.take(r.u32())}
		if len(body.b) > MaxFunctionBody {
			return fmt.Errorf("%w: function %d has %d bytes, at most %d", ErrBounds, i, len(body.b), MaxFunctionBody)
		}
		var locals uint64
		for groups := body.u32(); groups > 0 && !body.bad; groups-- {
			locals += uint64(body.u32())
			body.byte() // type
			if locals > MaxLocals {
				return fmt.Errorf("%w: function %d has %d local variables, at most %d", ErrBounds, i, locals, MaxLocals)
			}
		}
		if body.bad {
			return errCut
		}
	}
	if r.bad {
		return errCut
	}
	return nil
}

// reader takes values off the front of b; past its end, or on a malformed number, it is bad and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.bad = true
	return 0
}

func (r *reader) take(n uint32) []byte {
	if r.bad || uint64(n) > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}
