package meter

// nameSection is the name of the custom section with names, with its length.
const nameSection = "\x04name"

const functionNamesID = 1

// functionNames finds the names of functions in a section with names and gives them as a subsection encoded afresh, so that traces can be read. Names are no reason to refuse a module:
// where anything is wrong with them, there are none.
func functionNames(section []byte, functions int) []byte {
	r := &reader{b: section}
	for len(r.b) > 0 {
		id := r.byte()
		s := &reader{b: r.take(r.u32())}
		if r.err == nil && id == functionNamesID {
			return functionNameMap(s, functions)
		}
	}
	return nil
}

// maxName is how many bytes of a name are kept at most; longer ones are left out.
const maxName = 512

func functionNameMap(r *reader, functions int) []byte {
	n := r.count("names", uint64(functions), 2)
	var kept vector
	next := uint32(0)
	for ; n > 0 && r.err == nil; n-- {
		index, name := r.index("function", functions), r.name()
		if r.err != nil || index < next {
			return nil
		}
		next = index + 1
		if len(name) <= maxName {
			kept.add(appendU32(nil, index)...)
			kept.b = appendBytes(kept.b, name)
		}
	}
	if r.end("a list of names") != nil || kept.n == 0 {
		return nil
	}
	return appendBytes([]byte{functionNamesID}, append(appendU32(nil, uint32(kept.n)), kept.b...))
}
