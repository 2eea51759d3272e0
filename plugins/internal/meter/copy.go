package meter

import "fmt"

func inFunction(index int, err error) error { return fmt.Errorf("%w (function %d)", err, index) }

// instruction copies one instruction with what follows it.
func (f *function) instruction(op byte) {
	switch plain[op] {
	case bare:
		f.o = append(f.o, op)
	case local:
		f.index(op, "local variable", f.locals)
	case memory:
		f.o = append(f.o, op)
		f.access()
	case special:
		f.special(op)
	default:
		f.r.fail(unsupported("opcode %#x", op))
	}
}

func (f *function) special(op byte) {
	switch op {
	case opBlock, opLoop, opIf:
		f.open(op)
	case opElse:
		f.alternative()
	case opEnd:
		f.close()
	case opBr, opBrIf:
		f.o = append(f.o, op)
		f.branch()
	case opBrTable:
		f.branchTable()
	case opCall, opCallIndirect:
		f.call(op)
		if op == opCallIndirect {
			f.m.indirectCalls++
			if err := bound("indirect calls in the module", f.m.indirectCalls, MaxIndirectCalls); err != nil {
				f.r.fail(err)
			}
		}
	case opSelectTyped:
		if n := f.r.byte(); f.r.err == nil && n != 1 {
			f.r.fail(malformed("a select of %d types", n))
		}
		f.o = append(f.o, op, 1, f.r.valueType())
	case opGlobalGet, opGlobalSet:
		f.index(op, "global", f.m.globals)
	case opTableGet, opTableSet:
		f.index(op, "table", f.m.tables)
	case opMemorySize, opMemoryGrow:
		f.needMemory()
		f.r.zero("the memory of an instruction")
		if op == opMemoryGrow {
			f.yield()
		}
		f.o = append(f.o, op, 0)
	case opI32Const:
		f.o = appendSigned(append(f.o, op), f.r.signed(32))
	case opI64Const:
		f.o = appendSigned(append(f.o, op), f.r.signed(64))
	case opF32Const:
		f.o = append(append(f.o, op), f.r.take(4)...)
	case opF64Const:
		f.o = append(append(f.o, op), f.r.take(8)...)
	case opRefNull:
		f.o = append(f.o, op, f.r.refType())
	case opRefFunc:
		f.index(op, "function", len(f.m.functions))
	case prefixMisc:
		f.misc()
	case prefixVector:
		f.vector()
	}
}

func (f *function) call(op byte) {
	var s signature
	if op == opCall {
		index := f.r.index("function", len(f.m.functions))
		if f.r.err != nil {
			return
		}
		s = f.m.types[f.m.functions[index]]
		f.o = appendU32(append(f.o, op), index)
	} else {
		index := f.r.index("type", len(f.m.types))
		table := f.r.index("table", f.m.tables)
		if f.r.err != nil {
			return
		}
		s = f.m.types[index]
		f.o = appendU32(appendU32(append(f.o, op), index), table)
	}
	f.carry(s.params + s.results)
}

// access copies alignment and offset. The bit of the alignment that names another memory is refused with everything else above 31.
func (f *function) access() {
	f.needMemory()
	align := f.r.u32()
	if align > 31 {
		f.r.fail(unsupported("alignment %d", align))
	}
	f.o = appendU32(appendU32(f.o, align), f.r.u32())
}

func (f *function) misc() {
	op := f.r.u32()
	start := func() { f.o = append(f.o, prefixMisc, byte(op)) }
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // truncations
		start()
	case miscMemoryInit:
		segment := f.r.u32()
		f.r.zero("the memory of an instruction")
		f.needMemory()
		f.charge(unitBytesShift)
		start()
		f.o = append(appendU32(f.o, segment), 0)
	case miscMemoryCopy, miscMemoryFill:
		f.r.zero("the memory of an instruction")
		f.needMemory()
		f.charge(unitBytesShift)
		start()
		f.o = append(f.o, 0)
		if op == miscMemoryCopy {
			f.r.zero("the memory of an instruction")
			f.o = append(f.o, 0)
		}
	case miscDataDrop, miscElemDrop:
		start()
		f.o = appendU32(f.o, f.r.u32())
	case miscTableInit:
		segment := f.r.u32()
		f.charge(unitRefsShift)
		start()
		f.o = appendU32(appendU32(f.o, segment), f.table())
	case miscTableCopy:
		f.charge(unitRefsShift)
		start()
		f.o = appendU32(appendU32(f.o, f.table()), f.table())
	case miscTableGrow, miscTableFill, miscTableSize:
		switch op {
		case miscTableGrow:
			f.yield()
		case miscTableFill:
			f.charge(unitRefsShift)
		}
		start()
		f.o = appendU32(f.o, f.table())
	default:
		f.r.fail(unsupported("opcode 0xfc %d", op))
	}
}

func (f *function) table() uint32 { return f.r.index("table", f.m.tables) }

// vector copies an instruction on vectors. Its number is a LEB128 one like others, but the engine reads it as one byte: for those above 127 it takes the second
// byte of the shortest form, which is 1, for the instruction that does nothing. Any other form it would misunderstand, so that there is no other here.
func (f *function) vector() {
	op := f.r.u32()
	if op > 255 || vector256[op] == refused {
		f.r.fail(unsupported("opcode 0xfd %d", op))
		return
	}
	f.o = appendU32(append(f.o, prefixVector), op)
	switch vector256[op] {
	case memory:
		f.access()
	case lane:
		f.o = append(f.o, f.r.byte())
	case laneAccess:
		f.access()
		f.o = append(f.o, f.r.byte())
	case bytes16:
		f.o = append(f.o, f.r.take(16)...)
	}
}
