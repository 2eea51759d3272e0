package meter_test

import "pgregory.net/rapid"

// generate makes a valid module that ends: three functions of type (i32,i64)->i32, each calling only later ones, with a memory, a table,
// globals, bounded loops, branches, calls direct and by table, bulk operations and traps. Function 0 is exported as f.
func generate(r *rapid.T) []byte {
	var bodies [][]byte
	for i := range generated {
		g := &generator{r: r, function: i, left: 60}
		// Locals: two parameters, a loop counter for each nesting level, an i32 and an i64.
		code := g.statements(0)
		bodies = append(bodies, body(vec(cat(leb(maxDepth+1), []byte{i32}), []byte{1, i64}), code, g.value(i32, 2)))
	}
	functionType := []byte{0x60, 2, i32, i64, 1, i32}
	return module(
		section(1, vec(functionType, []byte{0x60, 2, i32, i32, 2, i32, i32})),
		section(3, many(generated, 0)),
		section(4, vec([]byte{0x70, 0, generated})),
		section(5, vec([]byte{1, 1, 3})),
		section(6, vec([]byte{i32, 1, 0x41, 7, 0x0b}, []byte{i64, 1, 0x42, 9, 0x0b})),
		section(7, vec(cat(text("f"), []byte{0, 0}), cat(text("memory"), []byte{2, 0}))),
		section(9, vec(cat([]byte{0, 0x41, 0, 0x0b}, vec([]byte{0}, []byte{1}, []byte{2})))),
		section(12, leb(1)),
		section(10, vec(bodies...)),
		section(11, vec(cat([]byte{1}, text("some bytes of data")))),
	)
}

const (
	i32, i64  = 0x7f, 0x7e
	generated = 3
	maxDepth  = 3 // of loops
)

type generator struct {
	r        *rapid.T
	function int
	left     int // statements that may still be made
	labels   int // open blocks
}

func (g *generator) pick(n int) int { return rapid.IntRange(0, n-1).Draw(g.r, "pick") }

// statements are instructions that leave the stack as it was.
func (g *generator) statements(loops int) []byte {
	var o []byte
	for n := g.pick(5); n >= 0 && g.left > 0; n-- {
		g.left--
		o = append(o, g.statement(loops)...)
	}
	return o
}

func (g *generator) block(open []byte, loops int) []byte {
	g.labels++
	inner := g.statements(loops)
	g.labels--
	return cat(open, inner, []byte{0x0b})
}

func (g *generator) statement(loops int) []byte {
	address := cat(g.value(i32, 1), []byte{0x41}, []byte{0xff, 0xff, 0x03}, []byte{0x71}) // below 64 KiB
	switch g.pick(16) {
	case 0:
		return cat(g.value(i32, 2), []byte{0x24, 0})
	case 1:
		return cat(g.value(i64, 2), []byte{0x24, 1})
	case 2:
		return cat(address, g.value(i64, 2), []byte{0x37, 3, 0})
	case 3:
		return cat(g.value(i32, 1), g.value(i32, 1), []byte{0x36, 2, 16}) // anywhere: may trap
	case 4:
		return g.block([]byte{2, 0x40}, loops)
	case 5:
		return g.block(cat(g.value(i32, 2), []byte{4, 0x40}), loops)
	case 6:
		g.labels++
		then, otherwise := g.statements(loops), g.statements(loops)
		g.labels--
		return cat(g.value(i32, 2), []byte{4, 0x40}, then, []byte{5}, otherwise, []byte{0x0b})
	case 7, 8:
		return g.loop(loops)
	case 9:
		if g.labels == 0 {
			return []byte{1}
		}
		return cat(g.value(i32, 1), []byte{0x0d, byte(g.forward())})
	case 10:
		return cat(address, g.value(i32, 1), g.value(i32, 0), []byte{0x41, 0xff, 0x1f, 0x71, 0xfc, 11, 0}) // fill, at most 4 KiB
	case 11:
		return cat(address, address, g.value(i32, 0), []byte{0x41, 0xff, 0x1f, 0x71, 0xfc, 10, 0, 0})
	case 12:
		return cat(address, g.value(i32, 0), []byte{0x41, 0x0f, 0x71}, g.value(i32, 0), []byte{0x41, 0x0f, 0x71, 0xfc, 8, 0, 0})
	case 13:
		return []byte{0x41, 1, 0x40, 0, 0x1a}
	case 14:
		// A block with two parameters and two results.
		return cat(g.value(i32, 1), g.value(i32, 1), []byte{2, 1, 0x6a, 0x41, 3, 0x0b, 0x1a, 0x1a})
	default:
		return cat(g.value(i32, 2), []byte{0x1a})
	}
}

// forward is a label to branch to; jumping back is for loop alone, so that all ends.
func (g *generator) forward() int { return 0 }

// loop counts a local variable down from a small number; inner blocks may leave, but not repeat, it.
func (g *generator) loop(loops int) []byte {
	if loops == maxDepth {
		return []byte{1}
	}
	counter := byte(2 + loops)
	set := []byte{0x41, byte(1 + g.pick(30)), 0x21, counter}
	saved := g.labels
	g.labels = 0 // branches out of the body would go on counting
	inner := g.block([]byte{2, 0x40}, loops+1)
	g.labels = saved
	again := []byte{0x20, counter, 0x41, 1, 0x6b, 0x22, counter, 0x0d, 0}
	return cat(set, []byte{3, 0x40}, inner, again, []byte{0x0b})
}

// value leaves one value of a type.
func (g *generator) value(kind byte, depth int) []byte {
	if depth == 0 {
		return g.leaf(kind)
	}
	if kind == i64 {
		switch g.pick(5) {
		case 0:
			return cat(g.value(i32, depth-1), []byte{0xad})
		case 1:
			return cat(g.value(i64, depth-1), g.value(i64, depth-1), []byte{0x80}) // division: may trap
		default:
			return cat(g.value(i64, depth-1), g.value(i64, depth-1), []byte{byte(0x7c + g.pick(3))})
		}
	}
	switch g.pick(8) {
	case 0:
		return cat(g.value(i64, depth-1), []byte{0xa7})
	case 1:
		return cat(g.value(i32, depth-1), g.value(i32, depth-1), []byte{0x6d})
	case 2:
		return cat(g.value(i32, depth-1), []byte{0x41, 0xff, 0xff, 0x03, 0x71, 0x28, 2, 0})
	case 3:
		if next := g.function + 1; next < generated {
			return cat(g.value(i32, depth-1), g.value(i64, 0), []byte{0x10, byte(next)})
		}
	case 4:
		if next := g.function + 1; next < generated { // by table
			return cat(g.value(i32, depth-1), g.value(i64, 0), []byte{0x41, byte(next), 0x11, 0, 0})
		}
	case 5:
		return cat(g.value(i32, depth-1), g.value(i32, 0), g.value(i32, 0), []byte{0x1b})
	}
	return cat(g.value(i32, depth-1), g.value(i32, depth-1), []byte{byte(0x6a + g.pick(3))})
}

func (g *generator) leaf(kind byte) []byte {
	if kind == i64 {
		return [][]byte{{0x20, 1}, {0x42, 0x9f, 0x7f}, {0x23, 1}, {0x42, 0}}[g.pick(4)]
	}
	return [][]byte{{0x20, 0}, {0x41, byte(g.pick(64))}, {0x23, 0}, {0x3f, 0}, {0x20, 2}, {0x41, 0x80, 0x80, 0xc0, 0x00}}[g.pick(6)]
}
