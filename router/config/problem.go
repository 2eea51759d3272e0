package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a configuration: where it stands and what to do about it.
type Problem struct {
	// Source is the file, or what else set the value: an environment variable or a flag.
	Source string
	// Line is the line in the file, from 1; 0 when there is none.
	Line int
	// Key is the path of the setting, such as channels[0].consumer; empty for the file as a whole.
	Key string
	// Text says what is wrong and what would be right, in one line.
	Text string
}

func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Source)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key)
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// Problems is the error that Load and Validate return: every problem found, in the order of the file. Each is one line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems as an error, nil if there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
