package meter

// constant copies a constant expression: one constant and an end. Globals cannot stand in it, because only imported ones may, and there are none.
func (m *module) constant(r *reader, o []byte) []byte {
	op := r.byte()
	o = append(o, op)
	switch op {
	case opI32Const:
		o = appendSigned(o, r.signed(32))
	case opI64Const:
		o = appendSigned(o, r.signed(64))
	case opF32Const:
		o = append(o, r.take(4)...)
	case opF64Const:
		o = append(o, r.take(8)...)
	case opRefNull:
		o = append(o, r.refType())
	case opRefFunc:
		o = appendU32(o, r.index("function", len(m.functions)))
	case prefixVector:
		if c := r.byte(); c != vecConst {
			r.fail(unsupported("vector opcode %d in a constant", c))
		}
		o = append(append(o, vecConst), r.take(16)...)
	default:
		r.fail(unsupported("opcode %#x in a constant", op))
	}
	if c := r.byte(); r.err == nil && c != opEnd {
		r.fail(unsupported("a constant of several instructions"))
	}
	return append(o, opEnd)
}

// elementSection copies the segments of references. Bit 0 of a segment's form means that it is not active, bit 1 that its table is named (active), or that
// it is only declared (not active), bit 2 that it has expressions in place of function indices.
func (m *module) elementSection(r *reader, out *vector) {
	for n := r.count("element segments", MaxElements, 2); n > 0 && r.err == nil; n-- {
		form := r.u32()
		if form > 7 {
			r.fail(malformed("element segment of form %d", form))
			return
		}
		out.add(byte(form))
		active, named, expressions := form&1 == 0, form&2 != 0, form&4 != 0
		if active && named {
			out.u32(r.index("table", m.tables))
		} else if active {
			if m.tables == 0 {
				r.fail(malformed("an element segment has no table"))
			}
		}
		if active {
			out.b = m.constant(r, out.b)
		}
		if !active || named {
			if expressions {
				out.b = append(out.b, r.refType())
			} else {
				r.zero("the kind of an element segment")
				out.b = append(out.b, 0)
			}
		}
		m.elements(r, out, expressions)
	}
}

func (m *module) elements(r *reader, out *vector, expressions bool) {
	items := r.count("elements", MaxElementItems, 1)
	m.elementItems += uint64(items)
	if err := bound("elements of all segments", m.elementItems, MaxElementItems); err != nil {
		r.fail(err)
	}
	out.u32(uint32(items))
	for ; items > 0 && r.err == nil; items-- {
		if expressions {
			out.b = m.constant(r, out.b)
		} else {
			out.u32(r.index("function", len(m.functions)))
		}
	}
}

// The forms of data segments.
const (
	dataActive  = 0
	dataPassive = 1
	dataNamed   = 2 // active, in a memory that is named
)

func (m *module) dataSection(r *reader, out *vector) {
	for n := r.count("data segments", MaxData, 2); n > 0 && r.err == nil; n-- {
		form := r.u32()
		switch form {
		case dataActive, dataPassive:
		case dataNamed:
			r.index("memory", m.memories())
			form = dataActive
		default:
			r.fail(malformed("data segment of form %d", form))
			return
		}
		if form == dataActive && !m.hasMemory {
			r.fail(malformed("a data segment has no memory"))
		}
		out.add(byte(form))
		if form == dataActive {
			out.b = m.constant(r, out.b)
		}
		out.b = appendBytes(out.b, r.take(r.u32()))
		m.data++
	}
}
