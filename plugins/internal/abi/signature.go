package abi

import "strings"

// Signature is the type of a function: one letter per value, i for i32, l for i64, f and d for the floats, ? for anything else.
type Signature struct{ Params, Results string }

// String shows a signature as (i32,i64)->i32; a function without result shows as (i32).
func (s Signature) String() string {
	text := "(" + valueTypes(s.Params) + ")"
	switch len(s.Results) {
	case 0:
		return text
	case 1:
		return text + "->" + valueTypes(s.Results)
	}
	return text + "->(" + valueTypes(s.Results) + ")"
}

func valueTypes(letters string) string {
	var names []string
	for _, c := range letters {
		switch c {
		case 'i':
			names = append(names, "i32")
		case 'l':
			names = append(names, "i64")
		case 'f':
			names = append(names, "f32")
		case 'd':
			names = append(names, "f64")
		default:
			names = append(names, "other")
		}
	}
	return strings.Join(names, ",")
}

// Imports are the functions of module rmds1 with their types, which never change.
var Imports = map[string]Signature{
	"read":        {"iiii", "i"}, // field, off, buf, cap
	"num":         {"i", "l"},    // field
	"header":      {"iiii", "i"}, // name, nlen, buf, cap
	"set":         {"iii", "i"},  // field, p, n
	"set_header":  {"iiii", "i"}, // name, nlen, val, vlen
	"emit_header": {"iiii", "i"}, // name, nlen, val, vlen
	"opt":         {"il", "i"},   // key, value
	"emit":        {"iiii", "i"}, // chan, clen, body, blen
	"kv_get":      {"iiii", "i"}, // key, klen, buf, cap
	"kv_set":      {"iiii", "i"}, // key, klen, val, vlen
	"kv_del":      {"ii", "i"},   // key, klen
	"kv_add":      {"iil", "l"},  // key, klen, delta
	"kv_next":     {"iiii", "i"}, // key, klen, buf, cap
	"log":         {"iii", ""},   // level, p, n
	"stat":        {"iil", ""},   // name, nlen, delta
	"fail":        {"ii", ""},    // p, n
}

// Exports are the functions that a plugin may export, with their types.
var Exports = map[string]Signature{
	ExportInitialize: {"", ""},
	ExportInit:       {"", "i"},
	ExportFilter:     {"i", "i"}, // body_len
	ExportHandle:     {"i", "i"}, // body_len
	ExportTick:       {"l", "i"}, // now_ms
	ExportHealth:     {"", "i"},
	ExportStop:       {"", ""},
}
