package meter_test

import "bytes"

// The parts of modules, for tests that need ones that no tool would make.

func leb(v uint64) []byte {
	var o []byte
	for v >= 0x80 {
		o = append(o, byte(v)|0x80)
		v >>= 7
	}
	return append(o, byte(v))
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// vec is a vector of items.
func vec(items ...[]byte) []byte { return cat(leb(uint64(len(items))), cat(items...)) }

// many is a vector of n equal items.
func many(n int, item ...byte) []byte { return cat(leb(uint64(n)), bytes.Repeat(item, n)) }

func text(s string) []byte { return cat(leb(uint64(len(s))), []byte(s)) }

func section(id byte, content []byte) []byte {
	return cat([]byte{id}, leb(uint64(len(content))), content)
}

func module(parts ...[]byte) []byte { return cat([]byte("\x00asm\x01\x00\x00\x00"), cat(parts...)) }

// body is a function's: groups of local variables and instructions, to which the end is added.
func body(locals []byte, instructions ...[]byte) []byte {
	b := cat(locals, cat(instructions...), []byte{0x0b})
	return cat(leb(uint64(len(b))), b)
}

var noLocals = []byte{0}

// oneFunction is a module with a memory, a table and one function of type ()->(), exported as f. Type 1 is (i32)->(i32).
func oneFunction(b []byte) []byte {
	return module(
		section(1, vec([]byte{0x60, 0, 0}, []byte{0x60, 1, 0x7f, 1, 0x7f})),
		section(3, vec([]byte{0})),
		section(4, vec([]byte{0x70, 0, 1})),
		section(5, vec([]byte{0, 1})),
		section(7, vec(cat(text("f"), []byte{0, 0}))),
		section(10, vec(b)),
	)
}

func repeat(n int, b ...byte) []byte { return bytes.Repeat(b, n) }
