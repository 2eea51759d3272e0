package meter_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/getevo/rmds-router/plugins/internal/meter"
)

// bomb is a module that is out of proportion in one way.
type bomb struct {
	name, text string
	wasm       []byte
}

func bombs() []bomb {
	types := func(n int) []byte { return section(1, many(n, 0x60, 0, 0)) }
	wide := cat([]byte{0x60}, many(1000, 0x7f), many(0))
	carrying := cat([]byte{0x60}, many(0), many(500, 0x7f)) // 500 results
	return []bomb{
		{"module", "67108865 bytes", make([]byte, meter.MaxModule+1)},
		{"code", "bytes of code", module(section(10, make([]byte, meter.MaxCode+1)))},
		{"types", "10001 types", module(types(meter.MaxTypes + 1))},
		{"type", "values of a type", module(section(1, vec(cat([]byte{0x60}, many(1001, 0x7f), many(0)))))},
		{"all types", "values of all types", module(section(1, cat(leb(101), bytes.Repeat(wide, 101))))},
		{"imports", "1001 imports", module(types(1), section(2, many(1001, 1, 'a', 1, 'b', 0, 0)))},
		{"functions", "50001 functions", module(types(1), section(3, many(50_001, 0)))},
		{"tables", "17 tables", module(section(4, many(17, 0x70, 0, 0)))},
		{"table", "100001 table elements", module(section(4, vec(cat([]byte{0x70, 0}, leb(100_001)))))},
		{"globals", "10001 globals", module(section(6, many(10_001, 0x7f, 0, 0x41, 0, 0x0b)))},
		{"exports", "10001 exports", module(section(7, many(10_001, 0, 0, 0)))},
		{"element segments", "10001 element segments", module(section(9, many(10_001, 1, 0, 0)))},
		{"elements", "200001 elements", module(section(9, vec(cat([]byte{1, 0}, many(200_001, 0)))))},
		{"data segments", "100001 data segments", module(section(11, many(100_001, 1, 0)))},
		{"body", "262146 bytes", oneFunction(body(noLocals, repeat(meter.MaxBody, 1)))},
		{"locals", "2001 local variables", oneFunction(body(vec(cat(leb(2001), []byte{0x7f}))))},
		{"four billion locals", "4294967295 local variables", oneFunction(body(vec(cat(leb(1<<32-1), []byte{0x7f}))))},
		{"locals in groups", "2001 local variables", oneFunction(body(many(2001, 1, 0x7f)))},
		{"blocks", "5001 blocks", oneFunction(body(noLocals, repeat(5001, 2, 0x40, 0x0b)))},
		{"ifs", "5001 blocks", oneFunction(body(noLocals, repeat(5001, 0x41, 0, 4, 0x40, 0x0b)))},
		{"loops", "1001 loops", oneFunction(body(noLocals, repeat(1001, 3, 0x40, 0x0b)))},
		{"nesting", "2001 blocks within", oneFunction(body(noLocals, repeat(2001, 2, 0x40), repeat(2001, 0x0b)))},
		{"loops within each other", "65 loops within", oneFunction(body(noLocals, repeat(65, 3, 0x40), repeat(65, 0x0b)))},
		{"bulk operations", "5004 blocks", oneFunction(body(noLocals, repeat(1251, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0)))},
		{"targets", "20001 branch targets", oneFunction(body(noLocals, []byte{0x41, 0, 0x0e}, many(20_001, 0), []byte{0}))},
		{"targets in parts", "30000 branch targets", oneFunction(body(noLocals, bytes.Repeat(cat([]byte{0x41, 0, 0x0e}, many(10_000, 0), []byte{0}), 3)))},
		{"blocks by locals", "1002000 blocks times", oneFunction(body(vec(cat(leb(2000), []byte{0x7f})), repeat(501, 2, 0x40, 0x0b)))},
		{"blocks by locals of all functions", "blocks times local variables in the module", module(section(1, vec([]byte{0x60, 0, 0})), section(3, many(21, 0)),
			section(10, many(21, body(vec(cat(leb(2000), []byte{0x7f})), repeat(250, 2, 0x40, 0x0b))...)))},
		{"indirect calls", "indirect calls in the module", module(section(1, vec([]byte{0x60, 0, 0})), section(3, many(7, 0)), section(4, vec([]byte{0x70, 0, 1})),
			section(10, many(7, body(noLocals, repeat(50_000, 0x41, 0, 0x11, 0, 0))...)))},
		{"blocks of large functions", "squares of the functions' blocks", functions(31, body(noLocals, repeat(5000, 2, 0x40, 0x0b)))},
		{"loops of large functions", "squares of the functions' blocks", functions(84, body(noLocals, repeat(1000, 3, 0x40, 0x0b)))},
		{"bulk operations of large functions", "squares of the functions' blocks", functions(31, body(noLocals, repeat(1250, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0)))},
		{"blocks of small functions", "blocks in the module", functions(20_001, body(noLocals, repeat(100, 2, 0x40, 0x0b)))},
		{"carried by calls", "values carried", module(section(1, vec(carrying, []byte{0x60, 0, 0})), section(3, vec([]byte{0}, []byte{1})),
			section(10, vec(body(noLocals, []byte{0}), body(noLocals, repeat(201, 0x10, 0)))))},
		{"carried by blocks", "values carried", module(section(1, vec(carrying, []byte{0x60, 0, 0})), section(3, vec([]byte{1})),
			section(10, vec(body(noLocals, repeat(201, 2, 0, 0, 0x0b)))))},
		{"carried by branches", "values carried", module(section(1, vec(carrying)), section(3, vec([]byte{0})),
			section(10, vec(body(noLocals, repeat(201, 0x0c, 0)))))},
	}
}

// functions is a module with one function many times over, and a memory.
func functions(n int, body []byte) []byte {
	return module(section(1, vec([]byte{0x60, 0, 0})), section(3, many(n, 0)), section(5, vec([]byte{0, 1})), section(10, many(n, body...)))
}

// TestBombs requires that every bound refuses a module quickly.
func TestBombs(t *testing.T) {
	for _, b := range bombs() {
		began := time.Now()
		_, err := meter.Rewrite(b.wasm)
		took := time.Since(began)
		if !errors.Is(err, meter.ErrBounds) || !strings.Contains(err.Error(), b.text) {
			t.Errorf("%s: %v", b.name, err)
		}
		if took > 30*time.Second { // on a slow, busy machine; a compiler would take minutes
			t.Errorf("%s: took %s", b.name, took)
		}
	}
}
