package meter

// check begins a region: it takes the region's weight, written later, off the countdown and takes the slow path when that is used up.
// It leaves the operands of the guest alone. The result is kept in a local variable because reading the global again would wait for the write.
func (f *function) check() {
	f.o = appendU32(append(f.o, opGlobalGet), f.m.countdown())
	f.o = append(f.o, opI32Const)
	f.regions = append(f.regions, region{at: len(f.o)})
	f.region = len(f.regions) - 1
	f.o = append(f.o, make([]byte, weightBytes)...)
	f.o = append(f.o, opI32Sub)
	f.settle()
}

// charge stands before a bulk operation, whose length is the operand on top: it takes the length, shifted, off the countdown.
func (f *function) charge(shift int64) {
	f.count(&f.blocks, bulkBlocks, "blocks", MaxBlocks)
	f.o = appendU32(append(f.o, opLocalTee), f.scratch)
	f.o = appendU32(append(f.o, opGlobalGet), f.m.countdown())
	f.o = appendU32(append(f.o, opLocalGet), f.scratch)
	f.o = append(appendSigned(append(f.o, opI32Const), shift), opI32ShrU, opI32Sub)
	f.settle()
}

// settle makes the operand on top the new countdown and takes the slow path if it is below zero.
func (f *function) settle() {
	f.o = appendU32(append(f.o, opLocalTee), f.scratch)
	f.o = appendU32(append(f.o, opGlobalSet), f.m.countdown())
	f.o = appendU32(append(f.o, opLocalGet), f.scratch)
	f.o = append(f.o, opI32Const, 0, opI32LtS, opIf, noType)
	f.yield()
	f.o = append(f.o, opEnd)
}

// yield takes the slow path.
func (f *function) yield() { f.o = appendU32(append(f.o, opCall), f.m.slowPath()) }

// slowPathBody lets the host have its turn, starts a new countdown and ends the call if the host wants that. The engine grows memory in Go, even by nothing.
func (m *module) slowPathBody() []byte {
	b := []byte{0, opI32Const, 0, opMemoryGrow, 0, opDrop, opI32Const}
	b = appendU32(append(appendSigned(b, Budget), opGlobalSet), m.countdown())
	b = appendU32(append(b, opGlobalGet), m.stop())
	return append(b, opIf, noType, opUnreachable, opEnd, opEnd)
}
