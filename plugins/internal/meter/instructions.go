package meter

// Opcodes that the rewrite treats on their own.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableGet     = 0x25
	opTableSet     = 0x26
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32LtS       = 0x48
	opI32Sub       = 0x6b
	opI32ShrU      = 0x76
	opRefNull      = 0xd0
	opRefIsNull    = 0xd1
	opRefFunc      = 0xd2
	prefixMisc     = 0xfc
	prefixVector   = 0xfd

	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17

	vecConst   = 12
	vecShuffle = 13

	noType = 0x40 // of a block
)

// shape is what follows an opcode.
type shape uint8

const (
	refused    shape = iota
	bare             // nothing
	special          // see function.instruction
	local            // an index that the compiler checks
	memory           // alignment and offset
	lane             // a byte
	laneAccess       // alignment, offset and a byte
	bytes16
)

// plain are the shapes of opcodes of one byte, vector those of the second byte behind prefixVector.
var plain, vector256 = plainShapes(), vectorShapes()

func plainShapes() (t [256]shape) {
	t[0x00], t[0x01], t[opReturn], t[opDrop], t[0x1b], t[opRefIsNull] = bare, bare, bare, bare, bare, bare
	for _, op := range []byte{
		opBlock, opLoop, opIf, opElse, opEnd, opBr, opBrIf, opBrTable, opCall, opCallIndirect, opSelectTyped, opGlobalGet, opGlobalSet, opTableGet, opTableSet,
		opMemorySize, opMemoryGrow, opI32Const, opI64Const, opF32Const, opF64Const, opRefNull, opRefFunc, prefixMisc, prefixVector,
	} {
		t[op] = special
	}
	span(&t, 0x20, 0x22, local)
	span(&t, 0x28, 0x3e, memory)
	span(&t, 0x45, 0xc4, bare)
	return t
}

func vectorShapes() (t [256]shape) {
	span(&t, 0x00, 0xff, bare)
	span(&t, 0x00, 0x0b, memory)
	span(&t, 0x5c, 0x5d, memory)
	span(&t, 0x54, 0x5b, laneAccess)
	span(&t, 0x15, 0x22, lane)
	t[vecConst], t[vecShuffle] = bytes16, bytes16
	for _, op := range []byte{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[op] = refused
	}
	return t
}

func span(t *[256]shape, first, last int, s shape) {
	for op := first; op <= last; op++ {
		t[op] = s
	}
}
