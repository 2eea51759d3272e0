package config

import (
	"fmt"
	"strings"
)

// expand replaces ${NAME} and ${NAME:default} in every value below n. It runs on the parsed tree, so what a variable
// holds can never become structure. $$ stands for one dollar sign.
func expand(n *node, path string, lookup func(string) (string, bool)) Problems {
	var problems Problems
	switch n.kind {
	case mappingNode:
		for i, item := range n.items {
			problems = append(problems, expand(item, join(path, n.keys[i]), lookup)...)
		}
	case sequenceNode:
		for i, item := range n.items {
			problems = append(problems, expand(item, fmt.Sprintf("%s[%d]", path, i), lookup)...)
		}
	default:
		text, changed, err := expandText(n.text, lookup)
		if err != nil {
			return Problems{{Source: n.source, Line: n.line, Key: path, Text: err.Error()}}
		}
		if changed {
			n.text, n.typ = text, freeScalar
		}
	}
	return problems
}

func expandText(s string, lookup func(string) (string, bool)) (text string, changed bool, err error) {
	if !strings.Contains(s, "$") {
		return s, false, nil
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "$")
		b.WriteString(before)
		if !ok {
			return b.String(), changed, nil
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s, changed = rest[1:], true
		case strings.HasPrefix(rest, "{"):
			inner, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", false, fmt.Errorf("${ without its }: write ${NAME} or ${NAME:default}, or $$ for a dollar sign")
			}
			value, err := variable(inner, lookup)
			if err != nil {
				return "", false, err
			}
			b.WriteString(value)
			s, changed = after, true
		default:
			b.WriteByte('$')
			s = rest
		}
	}
}

func variable(inner string, lookup func(string) (string, bool)) (string, error) {
	name, def, hasDefault := strings.Cut(inner, ":")
	if name == "" || strings.ContainsAny(name, " \t$\"'") {
		return "", fmt.Errorf("${%s} is not a variable: write ${NAME} or ${NAME:default}", inner)
	}
	if value, ok := lookup(name); ok {
		return value, nil
	}
	if !hasDefault {
		return "", fmt.Errorf("the environment variable %s is not set: set it, or give a default as ${%s:default}", name, name)
	}
	return def, nil
}
