package abi

import (
	"os"
	"strings"
	"testing"
)

// TestPageNamesEverything holds docs/abi.md to the tables here.
func TestPageNamesEverything(t *testing.T) {
	b, err := os.ReadFile("../../../docs/abi.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for name, s := range Imports {
		if found := hasLine(page, "| `"+name+"(", "`"+s.String()+"`"); !found {
			t.Errorf("the page lacks import %s with type %s", name, s)
		}
	}
	for name, s := range Exports {
		if s.Params == "" && !hasLine(page, "| `"+name+"` |", "`()") || !hasLine(page, "| `"+name+"` |") {
			t.Errorf("the page lacks export %s with type %s", name, s)
		}
	}
}

// hasLine tells whether a line starts with the first part and has the others in it.
func hasLine(page, start string, parts ...string) bool {
	for line := range strings.Lines(page) {
		ok := strings.HasPrefix(line, start)
		for _, part := range parts {
			ok = ok && strings.Contains(line, part)
		}
		if ok {
			return true
		}
	}
	return false
}
