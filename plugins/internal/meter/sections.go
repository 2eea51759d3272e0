package meter

import "strings"

// Value types, and the kinds of imports and exports.
const (
	typeI32       = 0x7f
	typeV128      = 0x7b
	typeFuncref   = 0x70
	typeExternref = 0x6f

	kindFunction = 0
	kindTable    = 1
	kindMemory   = 2
	kindGlobal   = 3
)

// valueType takes a type of the ones that the engine knows.
func (r *reader) valueType() byte {
	c := r.byte()
	if r.err == nil && !isValueType(c) {
		r.fail(unsupported("value type %#x", c))
	}
	return c
}

func isValueType(c byte) bool {
	return (c >= typeV128 && c <= typeI32) || c == typeFuncref || c == typeExternref
}

func (r *reader) refType() byte {
	c := r.byte()
	if r.err == nil && c != typeFuncref && c != typeExternref {
		r.fail(unsupported("reference type %#x", c))
	}
	return c
}

func (m *module) typeSection(r *reader, out *vector) {
	for n := r.count("types", MaxTypes, 3); n > 0 && r.err == nil; n-- {
		if c := r.byte(); c != 0x60 {
			r.fail(unsupported("type %#x", c))
		}
		out.add(0x60)
		var s signature
		for _, list := range []*int{&s.params, &s.results} {
			*list = r.count("values of a type", MaxTypeArity, 1)
			out.u32(uint32(*list))
			for range *list {
				out.b = append(out.b, r.valueType())
			}
		}
		m.types = append(m.types, s)
		m.arity += uint64(s.params + s.results)
		if err := bound("values of all types", m.arity, MaxTypeValues); err != nil {
			r.fail(err)
		}
	}
}

func (m *module) importSection(r *reader, out *vector) {
	for n := r.count("imports", MaxImports, 4); n > 0 && r.err == nil; n-- {
		from, name := r.name(), r.name()
		switch kind := r.byte(); kind {
		case kindFunction:
		case kindTable:
			r.fail(unsupported("imports the table %.100q.%.100q", from, name))
		case kindMemory:
			r.fail(unsupported("imports the memory %.100q.%.100q", from, name))
		case kindGlobal:
			r.fail(unsupported("imports the global %.100q.%.100q", from, name))
		default:
			r.fail(unsupported("import of kind %d", kind))
		}
		index := r.index("type", len(m.types))
		m.functions = append(m.functions, index)
		m.imported++
		out.add(appendBytes(appendBytes(nil, from), name)...)
		out.b = append(out.b, kindFunction)
		out.u32(index)
	}
}

func (m *module) functionSection(r *reader, out *vector) {
	for n := r.count("functions", MaxFunctions, 1); n > 0 && r.err == nil; n-- {
		index := r.index("type", len(m.types))
		m.functions = append(m.functions, index)
		out.add(appendU32(nil, index)...)
	}
}

// limits are a size and a maximum, which is most if there is none.
func (r *reader) limits(what string, most uint32) (least, limit uint32, limited bool) {
	flags := r.byte()
	if flags > 1 {
		r.fail(unsupported("shared or 64-bit %s", what))
	}
	least, limit = r.u32(), most
	if flags&1 != 0 {
		limit, limited = r.u32(), true
	}
	if r.err == nil && limit < least && (limited || least > most) {
		r.fail(malformed("a %s is larger than its maximum", what))
	}
	return least, limit, limited
}

func (m *module) tableSection(r *reader, out *vector) {
	for n := r.count("tables", MaxTables, 3); n > 0 && r.err == nil; n-- {
		kind := r.refType()
		least, limit, _ := r.limits("table", 1<<32-1)
		m.tableSize += uint64(least)
		if err := bound("table elements", m.tableSize, MaxTable); err != nil {
			r.fail(err)
		}
		m.tables++
		out.add(kind, 1)
		out.u32(least)
		out.u32(min(limit, MaxTable))
	}
}

const mostPages = 1 << 16

func (m *module) memorySection(r *reader, out *vector) {
	n := r.u32()
	if n > 1 {
		r.fail(unsupported("several memories"))
	}
	if n == 0 || r.err != nil {
		return
	}
	m.hasMemory = true
	least, limit, limited := r.limits("memory", mostPages)
	if limit > mostPages {
		r.fail(malformed("a memory of %d pages", limit))
	}
	if !limited {
		out.add(0)
		out.u32(least)
		return
	}
	out.add(1)
	out.u32(least)
	out.u32(limit)
}

func (m *module) globalSection(r *reader, out *vector) {
	for n := r.count("globals", MaxGlobals, 4); n > 0 && r.err == nil; n-- {
		kind, mutable := r.valueType(), r.byte()
		if mutable > 1 {
			r.fail(malformed("mutability %d", mutable))
		}
		out.add(kind, mutable)
		out.b = m.constant(r, out.b)
		m.globals++
	}
}

func (m *module) exportSection(r *reader, out *vector) {
	for n := r.count("exports", MaxExports, 3); n > 0 && r.err == nil; n-- {
		name := string(r.name())
		if strings.HasPrefix(name, reserved) {
			r.fail(unsupported("exports %.100q; names with %s are the host's", name, reserved))
		}
		if m.exported[name] {
			r.fail(malformed("exports %.100q twice", name))
		}
		m.exported[name] = true
		kind := r.byte()
		var index uint32
		switch kind {
		case kindFunction:
			index = r.index("function", len(m.functions))
		case kindTable:
			index = r.index("table", m.tables)
		case kindMemory:
			index = r.index("memory", m.memories())
		case kindGlobal:
			index = r.index("global", m.globals)
		default:
			r.fail(unsupported("export of kind %d", kind))
		}
		out.add(appendBytes(nil, []byte(name))...)
		out.b = append(out.b, kind)
		out.u32(index)
	}
}

func (m *module) memories() int {
	if m.hasMemory {
		return 1
	}
	return 0
}

func (m *module) startSection(r *reader) {
	m.hasStart, m.start = true, r.index("function", len(m.functions))
	if r.err == nil && m.types[m.functions[m.start]] != (signature{}) {
		r.fail(malformed("the start function takes or gives values"))
	}
}
