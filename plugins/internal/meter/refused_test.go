package meter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// TestRefused has one module for each thing that guests may not be.
func TestRefused(t *testing.T) {
	in := func(instructions ...byte) []byte { return oneFunction(body(noLocals, instructions)) }
	importOf := func(description ...byte) []byte {
		return module(section(2, vec(cat(text("m"), text("n"), description))))
	}
	types := section(1, vec([]byte{0x60, 0, 0}, []byte{0x60, 1, 0x7f, 0}))
	one := cat(types, section(3, vec([]byte{0})))
	export := func(name string, kind, index byte) []byte {
		return section(7, vec(cat(text(name), []byte{kind, index})))
	}
	for _, c := range []struct {
		name string
		wasm []byte
		kind error
		text string
	}{
		{"empty", nil, meter.ErrNotWasm, ""},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), meter.ErrNotWasm, ""},
		{"cut", []byte("\x00asm\x01\x00\x00\x00\x01\x05"), meter.ErrMalformed, "middle of a value"},
		{"long section", module(section(1, []byte{0, 0})), meter.ErrMalformed, "longer than what is in it"},
		{"long number", module([]byte{1, 0x81, 0x80, 0x80, 0x80, 0x80, 0, 0}), meter.ErrMalformed, "more than 32 bits"},
		{"large number", module([]byte{1, 0x81, 0x80, 0x80, 0x80, 0x10}), meter.ErrMalformed, "more than 32 bits"},
		{"unknown section", module(section(13, []byte{0})), meter.ErrUnsupported, "section 13"},
		{"order", module(section(3, many(0)), section(1, many(0))), meter.ErrMalformed, "too late"},
		{"twice", module(types, types), meter.ErrMalformed, "twice"},
		{"data count late", module(section(10, many(0)), section(12, leb(0))), meter.ErrMalformed, "too late"},
		{"data count wrong", module(section(12, leb(1))), meter.ErrMalformed, "announced"},
		{"bad custom name", module(section(0, []byte{1, 0xff})), meter.ErrMalformed, "UTF-8"},
		{"gc type", module(section(1, vec([]byte{0x5f, 0, 0}))), meter.ErrUnsupported, "type 0x5f"},
		{"exception type", module(section(1, vec([]byte{0x60, 1, 0x69, 0}))), meter.ErrUnsupported, "value type 0x69"},
		{"imported table", importOf(1, 0x70, 0, 0), meter.ErrUnsupported, `imports the table "m"."n"`},
		{"imported memory", importOf(2, 0, 0), meter.ErrUnsupported, `imports the memory "m"."n"`},
		{"imported global", importOf(3, 0x7f, 0), meter.ErrUnsupported, `imports the global "m"."n"`},
		{"imported tag", importOf(4, 0, 0), meter.ErrUnsupported, "kind 4"},
		{"shared memory", module(section(5, vec([]byte{3, 1, 1}))), meter.ErrUnsupported, "shared or 64-bit memory"},
		{"64-bit memory", module(section(5, vec([]byte{4, 1}))), meter.ErrUnsupported, "shared or 64-bit memory"},
		{"two memories", module(section(5, many(2, 0, 1))), meter.ErrUnsupported, "several memories"},
		{"large memory", module(section(5, vec([]byte{1, 0, 0x81, 0x80, 4}))), meter.ErrMalformed, "65537 pages"},
		{"memory above its maximum", module(section(5, vec([]byte{1, 2, 1}))), meter.ErrMalformed, "larger than its maximum"},
		{"table above its maximum", module(section(4, vec([]byte{0x70, 1, 2, 1}))), meter.ErrMalformed, "larger than its maximum"},
		{"table with initialiser", module(section(4, vec([]byte{0x40, 0, 0x70}))), meter.ErrUnsupported, "reference type 0x40"},
		{"global of a global", module(section(6, vec([]byte{0x7f, 0, 0x23, 0, 0x0b}))), meter.ErrUnsupported, "opcode 0x23 in a constant"},
		{"constant with addition", module(section(6, vec([]byte{0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b}))), meter.ErrUnsupported, "several instructions"},
		{"reserved export", module(one, section(5, many(1, 0, 0)), export("__rmds_stop", 2, 0)), meter.ErrUnsupported, "names with __rmds_"},
		{"export twice", module(section(5, vec([]byte{0, 0})), section(7, many(2, 1, 'a', 2, 0))), meter.ErrMalformed, `exports "a" twice`},
		{"export of an added function", module(one, export("a", 0, 1)), meter.ErrMalformed, "function 1 does not exist"},
		{"export of an added global", module(one, export("a", 3, 0)), meter.ErrMalformed, "global 0 does not exist"},
		{"export of the added memory", module(one, export("a", 2, 0)), meter.ErrMalformed, "memory 0 does not exist"},
		{"element of an added function", module(one, section(9, vec([]byte{1, 0, 1, 1}))), meter.ErrMalformed, "function 1 does not exist"},
		{"element expression", module(one, section(9, vec([]byte{5, 0x70, 1, 0xd2, 1, 0x0b}))), meter.ErrMalformed, "function 1 does not exist"},
		{"start with a parameter", module(types, section(3, vec([]byte{1})), section(8, leb(0))), meter.ErrMalformed, "start function"},
		{"start of an added function", module(one, section(8, leb(1))), meter.ErrMalformed, "function 1 does not exist"},
		{"no code", module(one), meter.ErrMalformed, "1 functions have 0 bodies"},
		{"data without memory", module(section(11, vec([]byte{0, 0x41, 0, 0x0b, 0}))), meter.ErrMalformed, "no memory"},
		{"call of the slow path", in(0x10, 1), meter.ErrMalformed, "function 1 does not exist"},
		{"reference to the slow path", in(0xd2, 1, 0x1a), meter.ErrMalformed, "function 1 does not exist"},
		{"read of the countdown", in(0x23, 0, 0x1a), meter.ErrMalformed, "global 0 does not exist"},
		{"write of the countdown", in(0x41, 0, 0x24, 0), meter.ErrMalformed, "global 0 does not exist"},
		{"use of the scratch variable", in(0x20, 0, 0x1a), meter.ErrMalformed, "local variable 0 does not exist"},
		{"block of an added type", in(2, 2, 0x0b), meter.ErrMalformed, "type 2 does not exist"},
		{"indirect call of an added type", in(0x41, 0, 0x11, 2, 0), meter.ErrMalformed, "type 2 does not exist"},
		{"branch too far", in(0x0c, 1), meter.ErrMalformed, "label 1 does not exist"},
		{"else alone", in(5), meter.ErrMalformed, "else without an if"},
		{"else twice", in(0x41, 0, 4, 0x40, 5, 5, 0x0b), meter.ErrMalformed, "else without an if"},
		{"code behind the end", in(0x0b, 1), meter.ErrMalformed, "longer than what is in it"},
		{"no end", oneFunction([]byte{2, 0, 1}), meter.ErrMalformed, "middle of a value"},
		{"tail call", in(0x12, 0), meter.ErrUnsupported, "opcode 0x12"},
		{"indirect tail call", in(0x13, 0, 0), meter.ErrUnsupported, "opcode 0x13"},
		{"call by reference", in(0x14, 0), meter.ErrUnsupported, "opcode 0x14"},
		{"try", in(6, 0x40, 0x0b), meter.ErrUnsupported, "opcode 0x6"},
		{"try table", in(0x1f, 0x40, 0, 0x0b), meter.ErrUnsupported, "opcode 0x1f"},
		{"throw", in(8, 0), meter.ErrUnsupported, "opcode 0x8"},
		{"gc", in(0xfb, 0), meter.ErrUnsupported, "opcode 0xfb"},
		{"atomics", in(0xfe, 0), meter.ErrUnsupported, "opcode 0xfe"},
		{"null of another type", in(0xd0, 0x6e), meter.ErrUnsupported, "reference type 0x6e"},
		{"misc", in(0xfc, 18), meter.ErrUnsupported, "opcode 0xfc 18"},
		{"misc, as 8 bits", in(0xfc, 0x8a, 2), meter.ErrUnsupported, "opcode 0xfc 266"},
		{"relaxed vectors", in(0xfd, 0x80, 2), meter.ErrUnsupported, "opcode 0xfd 256"},
		{"vectors", in(0xfd, 0x9a, 1), meter.ErrUnsupported, "opcode 0xfd 154"},
		{"another memory", in(0x41, 0, 0x28, 0x42, 0, 0, 0x1a), meter.ErrUnsupported, "alignment 66"},
		{"memory of another number", in(0x3f, 1, 0x1a), meter.ErrMalformed, "not 0"},
	} {
		_, err := meter.Rewrite(c.wasm)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", c.name, err, c.text)
		}
	}
}

// TestMemoryIsRefusedWhereThereIsNone is about the memory that is added.
func TestMemoryIsRefusedWhereThereIsNone(t *testing.T) {
	for _, instructions := range [][]byte{
		{0x3f, 0, 0x1a}, {0x41, 0, 0x40, 0, 0x1a}, {0x41, 0, 0x28, 2, 0, 0x1a}, {0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0}, {0x41, 0, 0xfd, 0, 4, 0, 0x1a},
		{0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 10, 0, 0},
	} {
		wasm := module(section(1, vec([]byte{0x60, 0, 0})), section(3, vec([]byte{0})), section(10, vec(body(noLocals, instructions))))
		if _, err := meter.Rewrite(wasm); !errors.Is(err, meter.ErrMalformed) || !strings.Contains(err.Error(), "there is none") {
			t.Errorf("%x: %v", instructions, err)
		}
	}
}
