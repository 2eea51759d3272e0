package meter

// codeSection copies the bodies of functions with the checks in them.
func (m *module) codeSection(r *reader, out *vector) {
	if err := bound("bytes of code", uint64(len(r.b)), MaxCode); err != nil {
		r.fail(err)
	}
	m.codes = r.count("bodies", MaxFunctions, 3)
	if r.err == nil && m.codes != len(m.functions)-m.imported {
		r.fail(malformed("%d functions have %d bodies", len(m.functions)-m.imported, m.codes))
	}
	out.b = make([]byte, 0, len(r.b)*5/4)
	f := function{m: m}
	for i := 0; i < m.codes && r.err == nil; i++ {
		index := m.imported + i
		body := r.take(r.u32())
		if r.err != nil {
			return
		}
		if err := f.copy(body, m.types[m.functions[index]]); err != nil {
			r.fail(inFunction(index, err))
			return
		}
		out.addFunction(f.o)
	}
}

// function copies one body after the other; what it holds is of the one under way.
type function struct {
	m *module
	r reader
	o []byte

	scratch uint32 // the local variable that is added for the checks
	locals  int    // parameters included, scratch not
	control []frame
	regions []region
	region  int // the one that instructions count for

	blocks, loops, targets, values int
}

// frame is an open block.
type frame struct {
	op     byte // opBlock, opLoop, opIf or opElse; opEnd for the body itself
	label  int  // how many values a branch to it carries
	loops  int  // it and those around it
	region int  // outside of it
}

// region is the code that one check stands for: the function without its loops, or a loop without the loops in it.
type region struct {
	at           int // where in the output its weight is to be written
	instructions int
}

// copy rewrites a body into f.o.
func (f *function) copy(body []byte, s signature) error {
	if err := bound("bytes", uint64(len(body)), MaxBody); err != nil {
		return err
	}
	*f = function{m: f.m, r: reader{b: body}, o: f.o[:0], control: f.control[:0], regions: f.regions[:0]}
	f.copyLocals(s.params)
	f.control = append(f.control, frame{op: opEnd, label: s.results})
	f.check()
	for len(f.control) > 0 && f.r.err == nil {
		f.regions[f.region].instructions++
		f.instruction(f.r.byte())
	}
	if err := f.r.end("a body"); err != nil {
		return err
	}
	for _, g := range f.regions {
		putWeight(f.o[g.at:], uint32(1+g.instructions/unitInstructions))
	}
	return f.bounds()
}

// bounds looks at what can only be judged at the end.
func (f *function) bounds() error {
	product := uint64(f.blocks) * uint64(f.locals)
	if err := bound("blocks times local variables", product, MaxBlocksByLocals); err != nil {
		return err
	}
	f.m.blocksByLocals += product
	if err := bound("blocks times local variables in the module up to here", f.m.blocksByLocals, MaxModuleBlocksByLocals); err != nil {
		return err
	}
	blocks := uint64(f.blocks + loopBlocks*f.loops)
	f.m.blocks += blocks
	if err := bound("blocks in the module up to here", f.m.blocks, MaxModuleBlocks); err != nil {
		return err
	}
	f.m.squares += blocks * blocks
	return bound("squares of the functions' blocks in the module up to here", f.m.squares, MaxModuleSquares)
}

// copyLocals adds a group of one variable for the checks.
func (f *function) copyLocals(params int) {
	f.locals = params
	groups := f.r.count("groups of local variables", MaxBody, 2)
	f.o = appendU32(f.o, uint32(groups)+1)
	for ; groups > 0 && f.r.err == nil; groups-- {
		n, kind := f.r.u32(), f.r.valueType()
		if err := bound("local variables", uint64(f.locals)+uint64(n), MaxLocals); err != nil {
			f.r.fail(err)
			return
		}
		f.locals += int(n)
		f.o = append(appendU32(f.o, n), kind)
	}
	f.o = append(f.o, 1, typeI32)
	f.scratch = uint32(f.locals)
}

// count adds to one of the figures of the function.
func (f *function) count(figure *int, n int, what string, most uint64) {
	*figure += n
	if err := bound(what, uint64(*figure), most); err != nil {
		f.r.fail(err)
	}
}

// carry counts the values that a block, branch or call carries.
func (f *function) carry(n int) { f.count(&f.values, n, "values carried", MaxValues) }

// open begins a block.
func (f *function) open(op byte) {
	f.count(&f.blocks, 1, "blocks", MaxBlocks)
	if len(f.control) > MaxNesting {
		f.r.fail(bound("blocks within each other", uint64(len(f.control)), MaxNesting))
		return
	}
	f.o = append(f.o, op)
	s := f.blockType()
	f.carry(s.params + s.results)
	in := frame{op: op, label: s.results, loops: f.control[len(f.control)-1].loops, region: f.region}
	if op == opLoop {
		f.count(&f.loops, 1, "loops", MaxLoops)
		f.count(&in.loops, 1, "loops within each other", MaxLoopNesting)
		in.label = s.params
		f.check()
	}
	f.control = append(f.control, in)
}

// blockType copies the type of a block.
func (f *function) blockType() signature {
	v := f.r.signed(33)
	if v >= 0 {
		if f.r.err == nil && v >= int64(len(f.m.types)) {
			f.r.fail(malformed("type %d does not exist", v))
		}
		if f.r.err != nil {
			return signature{}
		}
		f.o = appendSigned(f.o, v)
		return f.m.types[v]
	}
	c := byte(v & 0x7f)
	f.o = append(f.o, c)
	switch {
	case v < -64 || (c != noType && !isValueType(c)):
		f.r.fail(unsupported("block type %d", v))
	case c != noType:
		return signature{results: 1}
	}
	return signature{}
}

// close ends a block, or with the last one the body.
func (f *function) close() {
	top := len(f.control) - 1
	f.region = f.control[top].region
	f.control = f.control[:top]
	f.o = append(f.o, opEnd)
}

func (f *function) alternative() {
	top := &f.control[len(f.control)-1]
	if top.op != opIf {
		f.r.fail(malformed("an else without an if"))
	}
	top.op = opElse
	f.o = append(f.o, opElse)
}

// branch copies the number of a label.
func (f *function) branch() {
	n := f.r.index("label", len(f.control))
	if f.r.err == nil {
		f.carry(f.control[len(f.control)-1-int(n)].label)
	}
	f.o = appendU32(f.o, n)
}

func (f *function) branchTable() {
	n := f.r.count("branch targets", MaxTargets, 1)
	f.count(&f.targets, n, "branch targets", MaxTargets)
	f.o = appendU32(append(f.o, opBrTable), uint32(n))
	for ; n >= 0 && f.r.err == nil; n-- {
		f.branch()
	}
}

func (f *function) index(op byte, what string, n int) {
	f.o = appendU32(append(f.o, op), f.r.index(what, n))
}

// needMemory refuses instructions on the memory that is added to a module that has none.
func (f *function) needMemory() {
	if !f.m.hasMemory {
		f.r.fail(malformed("an instruction on memory, and there is none"))
	}
}
