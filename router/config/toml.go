package config

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML reads TOML into the same tree as YAML.
func parseTOML(source string, data []byte) (*node, Problems) {
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		p := Problem{Source: source, Text: "not readable: " + strings.TrimPrefix(err.Error(), "toml: ")}
		if d := (*toml.DecodeError)(nil); errors.As(err, &d) {
			p.Line, _ = d.Position()
		}
		return nil, Problems{p}
	}
	t := tomlTree{source: source, lines: tomlLines(data)}
	return t.build(values, "", 1), nil
}

type tomlTree struct {
	source string
	lines  map[string]int
}

func (t tomlTree) build(value any, path string, line int) *node {
	if l, ok := t.lines[path]; ok {
		line = l
	}
	n := &node{line: line, source: t.source}
	switch v := value.(type) {
	case map[string]any:
		n.kind = mappingNode
		for key := range v {
			n.keys = append(n.keys, key)
		}
		sort.Slice(n.keys, func(i, j int) bool {
			a, b := t.lines[join(path, n.keys[i])], t.lines[join(path, n.keys[j])]
			return a < b || a == b && n.keys[i] < n.keys[j]
		})
		for _, key := range n.keys {
			child := t.build(v[key], join(path, key), line)
			n.items = append(n.items, child)
			n.lines = append(n.lines, child.line)
		}
	case []any:
		n.kind = sequenceNode
		for i, item := range v {
			n.items = append(n.items, t.build(item, fmt.Sprintf("%s[%d]", path, i), line))
		}
	case bool:
		n.typ, n.text = boolScalar, strconv.FormatBool(v)
	case int64:
		n.typ, n.text = intScalar, strconv.FormatInt(v, 10)
	case float64:
		n.typ, n.text = floatScalar, strconv.FormatFloat(v, 'g', -1, 64)
	default:
		n.text = fmt.Sprint(v)
	}
	return n
}

// tomlLines finds the line of every key. It expects data that Unmarshal has accepted.
func tomlLines(data []byte) map[string]int {
	lines := map[string]int{}
	arrays := map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			table = tomlPath(&p, data, lines, arrays, e.Key(), "")
		case unstable.ArrayTable:
			path := tomlPath(&p, data, lines, nil, e.Key(), "")
			arrays[path]++
			table = fmt.Sprintf("%s[%d]", path, arrays[path]-1)
			lines[table] = lines[path]
		case unstable.KeyValue:
			tomlPath(&p, data, lines, nil, e.Key(), table)
		}
	}
	return lines
}

// tomlPath joins a dotted key to base, noting the line of each part. Parts that name an array of tables mean its newest element.
func tomlPath(p *unstable.Parser, data []byte, lines, arrays map[string]int, key unstable.Iterator, base string) string {
	path := base
	for key.Next() {
		k := key.Node()
		path = join(path, string(k.Data))
		if _, ok := lines[path]; !ok {
			lines[path] = 1 + bytes.Count(data[:min(int(k.Raw.Offset), len(data))], []byte("\n"))
		}
		if n := arrays[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	return path
}
