package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/getevo/rmds-router/plugins"
)

// place is where a value stands.
type place struct {
	source string
	line   int
}

// decoder fills structs from a tree and collects every problem on the way.
type decoder struct {
	problems Problems
	places   map[string]place
}

func (d *decoder) fail(n *node, path, text string) {
	d.problems = append(d.problems, Problem{Source: n.source, Line: n.line, Key: path, Text: text})
}

// check reports every key below n that s does not know, and sections that are something else. generic is shown without indexes.
func (d *decoder) check(s *schema, n *node, shown, generic string) {
	if n.kind != mappingNode {
		if !n.isNull() {
			d.fail(n, shown, "want a section with keys below it, not "+n.what())
		}
		return
	}
	for i, key := range n.keys {
		child, path, gpath := n.items[i], join(shown, key), join(generic, key)
		d.places[path] = place{n.source, n.lines[i]}
		switch {
		case s.byPath[gpath].path != "":
		case s.children[gpath] != nil:
			d.check(s, child, path, gpath)
		case slices.Contains(later, gpath):
			d.problems = append(d.problems, Problem{Source: n.source, Line: n.lines[i], Key: path, Text: notYet})
		default:
			d.problems = append(d.problems, Problem{Source: n.source, Line: n.lines[i], Key: path, Text: "unknown key" + suggestKey(s, generic, key)})
		}
	}
}

// suggestKey looks for the key meant among its neighbours, then for a section that has a key of this name.
func suggestKey(s *schema, generic, key string) string {
	if near := suggest(key, s.children[generic]); near != "" {
		return near
	}
	for _, f := range s.settings {
		if strings.HasSuffix(f.path, "."+key) {
			return fmt.Sprintf("; did you mean %q?", f.path)
		}
	}
	return ""
}

// find follows a path from n, whose own path is prefix.
func find(n *node, prefix, path string) *node {
	rest := strings.TrimPrefix(strings.TrimPrefix(path, prefix), ".")
	for _, part := range strings.Split(rest, ".") {
		if n = n.child(part); n == nil {
			return nil
		}
	}
	return n
}

// set reads the value of one setting.
func (d *decoder) set(field reflect.Value, generic, shown string, n *node) {
	switch {
	case field.Type() == rawType:
		var b bytes.Buffer
		writeJSON(&b, n)
		field.SetBytes(b.Bytes())
	case field.Kind() == reflect.Slice && n.isNull():
	case field.Kind() == reflect.Slice && n.kind != sequenceNode:
		d.fail(n, shown, "want a list, not "+n.what()+": write [a, b], or a line with a dash for each")
	case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
		d.list(field, generic, shown, n)
	case field.Kind() == reflect.Slice:
		values := reflect.MakeSlice(field.Type(), len(n.items), len(n.items))
		for i, item := range n.items {
			at := fmt.Sprintf("%s[%d]", shown, i)
			d.places[at] = place{item.source, item.line}
			if err := setScalar(values.Index(i), generic, item); err != nil {
				d.fail(item, at, err.Error())
			}
		}
		field.Set(values)
	default:
		if err := setScalar(field, generic, n); err != nil {
			d.fail(n, shown, err.Error())
		}
	}
}

// list reads a list of sections, each starting from its type's defaults.
func (d *decoder) list(field reflect.Value, generic, shown string, n *node) {
	s := newSchema(field.Type().Elem(), generic)
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", shown, i)
		d.places[at] = place{item.source, item.line}
		element := reflect.New(field.Type().Elem()).Elem()
		setDefaults(element)
		d.check(s, item, at, generic)
		if item.kind == mappingNode {
			for _, f := range s.settings {
				if value := find(item, generic, f.path); value != nil {
					d.set(element.FieldByIndex(f.index), f.path, at+strings.TrimPrefix(f.path, generic), value)
				}
			}
		}
		field.Set(reflect.Append(field, element))
	}
}

// setDefaults fills an element of a list before the file's values are laid over it.
func setDefaults(element reflect.Value) {
	switch e := element.Addr().Interface().(type) {
	case *plugins.Config:
		*e = plugins.Default()
	case *Channel:
		*e = defaultChannel
	case *Input:
		*e = defaultInput
	case *Output:
		*e = defaultOutput
	}
}

// writeJSON renders a free-form value, such as a plugin's own configuration, as JSON. Keys keep their case and order.
func writeJSON(b *bytes.Buffer, n *node) {
	switch n.kind {
	case mappingNode:
		b.WriteByte('{')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, n.keys[i])
			b.WriteByte(':')
			writeJSON(b, item)
		}
		b.WriteByte('}')
	case sequenceNode:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, item)
		}
		b.WriteByte(']')
	default:
		writeScalarJSON(b, n)
	}
}

// writeScalarJSON keeps numbers and booleans as they stand if JSON can say them, and quotes the rest.
func writeScalarJSON(b *bytes.Buffer, n *node) {
	switch {
	case n.typ == nullScalar:
		b.WriteString("null")
	case n.typ != textScalar && json.Valid([]byte(n.text)) && !strings.HasPrefix(n.text, `"`) && !strings.ContainsAny(n.text, "{[ \n\t"):
		b.WriteString(n.text)
	default:
		writeString(b, n.text)
	}
}

func writeString(b *bytes.Buffer, s string) {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		quoted = []byte(`""`)
	}
	b.Write(quoted)
}
