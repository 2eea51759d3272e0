package meter

import (
	"bytes"
)

// The exports that are added. A guest's own must not begin like them.
const (
	reserved    = "__rmds_"
	StopGlobal  = reserved + "stop"  // i32: whatever is not 0 ends the call under way, and every later one, with a trap
	StartExport = reserved + "start" // ()->(): the start function
)

// Module is a rewritten module.
type Module struct {
	Bytes []byte
	Start bool // it had a start function, which the host has to call first
}

// Rewrite gives the metered form of a module. It allocates in proportion to the module and keeps no part of it.
func Rewrite(wasm []byte) (Module, error) {
	if err := bound("bytes", uint64(len(wasm)), MaxModule); err != nil {
		return Module{}, err
	}
	if !bytes.HasPrefix(wasm, []byte(header)) {
		return Module{}, ErrNotWasm
	}
	m := &module{exported: make(map[string]bool)}
	if err := m.decode(wasm[len(header):]); err != nil {
		return Module{}, err
	}
	return Module{Bytes: m.encode(), Start: m.hasStart}, nil
}

const header = "\x00asm\x01\x00\x00\x00"

// The sections, by their numbers.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	sections
)

// order is the one that sections come in: the count of data segments stands before the code.
var order = [...]byte{
	sectionType, sectionImport, sectionFunction, sectionTable, sectionMemory, sectionGlobal, sectionExport, sectionStart, sectionElement,
	sectionDataCount, sectionCode, sectionData,
}

// module is what the sections read so far say. Counts include imports where there can be any.
type module struct {
	types     []signature
	imported  int      // functions
	functions []uint32 // types of all functions, the imported ones first
	tables    int
	hasMemory bool
	globals   int
	exported  map[string]bool
	hasStart  bool
	start     uint32

	arity          uint64 // of all types
	tableSize      uint64
	codes          int
	blocksByLocals uint64 // of all functions
	indirectCalls  uint64 // of all functions
	blocks         uint64 // of all functions, loops and bulk operations counted as several
	squares        uint64 // of each function's blocks, added up
	elementItems   uint64
	dataCount      int // -1 without that section
	data           int
	names          []byte // the subsection with the names of functions

	written [sections]vector
}

// signature is a function type; its parameters and results are counted only.
type signature struct{ params, results int }

// vector is a section as it will be written: n items in b. A section that is no vector has n 0.
type vector struct {
	n int
	b []byte
}

// decode reads all sections and prepares what will be written.
func (m *module) decode(b []byte) error {
	m.dataCount = -1
	r := &reader{b: b}
	last := -1
	var names []byte
	for len(r.b) > 0 {
		id := r.byte()
		s := &reader{b: r.take(r.u32())}
		if r.err != nil {
			break
		}
		if id == sectionCustom {
			if string(s.name()) == "name" {
				names = s.b
			}
			if s.err != nil {
				return s.err
			}
			continue
		}
		at := bytes.IndexByte(order[:], id)
		if at < 0 {
			return unsupported("section %d", id)
		}
		if at <= last {
			return malformed("section %d stands twice or too late", id)
		}
		last = at
		if err := m.section(id, s); err != nil {
			return err
		}
	}
	if r.err != nil {
		return r.err
	}
	if m.codes != len(m.functions)-m.imported {
		return malformed("%d functions have %d bodies", len(m.functions)-m.imported, m.codes)
	}
	if m.dataCount >= 0 && m.dataCount != m.data {
		return malformed("%d data segments are announced, and there are %d", m.dataCount, m.data)
	}
	m.names = functionNames(names, len(m.functions))
	return nil
}

func (m *module) section(id byte, r *reader) error {
	out := &m.written[id]
	switch id {
	case sectionType:
		m.typeSection(r, out)
	case sectionImport:
		m.importSection(r, out)
	case sectionFunction:
		m.functionSection(r, out)
	case sectionTable:
		m.tableSection(r, out)
	case sectionMemory:
		m.memorySection(r, out)
	case sectionGlobal:
		m.globalSection(r, out)
	case sectionExport:
		m.exportSection(r, out)
	case sectionStart:
		m.startSection(r)
	case sectionElement:
		m.elementSection(r, out)
	case sectionDataCount:
		m.dataCount = int(r.u32())
		out.b = appendU32(nil, uint32(m.dataCount))
	case sectionCode:
		m.codeSection(r, out)
	case sectionData:
		m.dataSection(r, out)
	}
	return r.end("a section")
}

// The indices of what is added, behind everything that the guest has.
func (m *module) countdown() uint32    { return uint32(m.globals) }
func (m *module) stop() uint32         { return uint32(m.globals) + 1 }
func (m *module) slowPath() uint32     { return uint32(len(m.functions)) }
func (m *module) startProxy() uint32   { return uint32(len(m.functions)) + 1 }
func (m *module) plainType() uint32    { return uint32(len(m.types)) }
func (v *vector) add(item ...byte)     { v.n++; v.b = append(v.b, item...) }
func (v *vector) u32(n uint32)         { v.b = appendU32(v.b, n) }
func (v *vector) addFunction(b []byte) { v.n++; v.b = appendBytes(v.b, b) }

// encode adds what metering needs and puts the sections together.
func (m *module) encode() []byte {
	w := &m.written
	w[sectionType].add(0x60, 0, 0)
	w[sectionFunction].add(appendU32(nil, m.plainType())...)
	w[sectionGlobal].add(append(appendSigned([]byte{typeI32, 1, opI32Const}, Budget), opEnd)...)
	w[sectionGlobal].add(typeI32, 1, opI32Const, 0, opEnd)
	w[sectionExport].add(appendU32(append(appendBytes(nil, []byte(StopGlobal)), kindGlobal), m.stop())...)
	w[sectionCode].addFunction(m.slowPathBody())
	if !m.hasMemory {
		w[sectionMemory].add(1, 0, 0)
	}
	if m.hasStart {
		w[sectionFunction].add(appendU32(nil, m.plainType())...)
		w[sectionExport].add(appendU32(append(appendBytes(nil, []byte(StartExport)), kindFunction), m.startProxy())...)
		w[sectionCode].addFunction(append(appendU32([]byte{0, opCall}, m.start), opEnd))
	}
	size := len(header) + len(m.names) + 64
	for i := range w {
		size += len(w[i].b) + 16
	}
	out := append(make([]byte, 0, size), header...)
	for _, id := range order {
		v := w[id]
		switch {
		case id == sectionDataCount && m.dataCount >= 0:
			out = appendBytes(append(out, id), v.b)
		case v.n > 0:
			count := appendU32(nil, uint32(v.n))
			out = appendU32(append(out, id), uint32(len(count)+len(v.b)))
			out = append(append(out, count...), v.b...)
		}
	}
	if len(m.names) > 0 {
		out = appendU32(append(out, sectionCustom), uint32(len(nameSection)+len(m.names)))
		out = append(append(out, nameSection...), m.names...)
	}
	return out
}
