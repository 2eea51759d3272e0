package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The most a file may hold once its aliases are followed, so that a small file cannot become a huge one.
const (
	maxNodes = 100_000
	maxDepth = 32
)

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	mappingNode
	sequenceNode
)

// scalarType is what a value looks like in the file. Values that were expanded, or come from the environment or a flag,
// are free: their text decides.
type scalarType uint8

const (
	textScalar scalarType = iota
	intScalar
	floatScalar
	boolScalar
	nullScalar
	freeScalar
)

func (t scalarType) String() string {
	return [...]string{"text", "a whole number", "a number with a fraction", "true or false", "nothing", "text"}[t]
}

// node is one value of a configuration file with its place. All three file formats become the same tree.
type node struct {
	kind   nodeKind
	line   int
	source string
	typ    scalarType
	text   string
	keys   []string
	lines  []int // of the keys
	items  []*node
}

func (n *node) child(key string) *node {
	for i, k := range n.keys {
		if k == key {
			return n.items[i]
		}
	}
	return nil
}

func (n *node) isNull() bool { return n.kind == scalarNode && n.typ == nullScalar }

func (n *node) what() string {
	switch n.kind {
	case mappingNode:
		return "a section"
	case sequenceNode:
		return "a list"
	}
	return n.typ.String()
}

// parseYAML reads YAML, and JSON with it. Broken syntax is one problem; so is a key given twice.
func parseYAML(source string, data []byte) (*node, Problems) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		line, text := syntaxError(err)
		return nil, Problems{{Source: source, Line: line, Text: text}}
	}
	if len(document.Content) == 0 {
		return &node{kind: mappingNode, line: 1, source: source}, nil
	}
	b := treeBuilder{source: source}
	root := b.build(document.Content[0], "", 0)
	return root, b.problems
}

// syntaxError takes the line out of the text of a YAML error.
func syntaxError(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, tail, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				return n, "not readable: " + tail
			}
		}
	}
	return 0, "not readable: " + text
}

type treeBuilder struct {
	source   string
	count    int
	problems Problems
}

func (b *treeBuilder) fail(line int, path, text string) *node {
	b.problems = append(b.problems, Problem{Source: b.source, Line: line, Key: path, Text: text})
	return &node{kind: scalarNode, typ: nullScalar, line: line, source: b.source}
}

func (b *treeBuilder) build(y *yaml.Node, path string, depth int) *node {
	if b.count++; b.count > maxNodes || depth > maxDepth {
		if b.count > maxNodes+1 {
			return &node{source: b.source, typ: nullScalar}
		}
		return b.fail(y.Line, path, fmt.Sprintf("too large: at most %d values, %d deep", maxNodes, maxDepth))
	}
	switch y.Kind {
	case yaml.AliasNode:
		return b.build(y.Alias, path, depth+1)
	case yaml.MappingNode:
		return b.mapping(y, path, depth)
	case yaml.SequenceNode:
		n := &node{kind: sequenceNode, line: y.Line, source: b.source}
		for i, item := range y.Content {
			n.items = append(n.items, b.build(item, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
		return n
	}
	n := &node{kind: scalarNode, line: y.Line, source: b.source, text: y.Value}
	switch y.ShortTag() {
	case "!!int":
		n.typ = intScalar
	case "!!float":
		n.typ = floatScalar
	case "!!bool":
		n.typ = boolScalar
	case "!!null":
		n.typ = nullScalar
	default:
		n.typ = textScalar
	}
	return n
}

func (b *treeBuilder) mapping(y *yaml.Node, path string, depth int) *node {
	n := &node{kind: mappingNode, line: y.Line, source: b.source}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		if key.Kind != yaml.ScalarNode {
			b.fail(key.Line, path, "a key must be a word")
			continue
		}
		at := join(path, key.Value)
		if n.child(key.Value) != nil {
			b.fail(key.Line, at, "given twice; keep one")
			continue
		}
		n.keys = append(n.keys, key.Value)
		n.lines = append(n.lines, key.Line)
		n.items = append(n.items, b.build(y.Content[i+1], at, depth+1))
	}
	return n
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
