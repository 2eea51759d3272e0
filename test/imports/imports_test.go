// Package imports holds the directions in which the module's packages may depend on each other, and what each of them may
// bring in from outside. The table in rules_test.go is the architecture; this file reads the import graph and compares.
package imports

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/getevo/rmds-router"

// graph maps an import path to what that package imports itself. Test files are not in it: a test may use what it likes.
type graph map[string][]string

func TestImportDirections(t *testing.T) {
	g := load(t)
	for _, r := range rules {
		for _, violation := range r.check(g) {
			t.Errorf("%s\n\tforbidden because %s", violation, r.reason)
		}
	}
}

// TestEveryRuleCanFail plants each rule's own bad import in an otherwise empty module.
func TestEveryRuleCanFail(t *testing.T) {
	for _, r := range rules {
		if found := r.check(r.planted); len(found) == 0 {
			t.Errorf("the rule that %s lets its planted import pass: %v", r.reason, r.planted)
		}
	}
}

// TestRulesNameRealPackages keeps a renamed folder from switching a rule off silently.
func TestRulesNameRealPackages(t *testing.T) {
	g := load(t)
	for _, r := range rules {
		for _, name := range slices.Concat(r.from, r.except) {
			if !slices.ContainsFunc(slices.Collect(own(g)), func(p string) bool { return matches(name, p) }) {
				t.Errorf("%q in the rule that %s matches no package", name, r.reason)
			}
		}
	}
}

// load asks the go command for the import graph of everything that the module builds, the dependencies included.
func load(t *testing.T) graph {
	t.Helper()
	noteSources(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Imports", module+"/...")
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	g := graph{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		g[p.ImportPath] = p.Imports
	}
	if len(g) < 10 {
		t.Fatalf("go list named only %d packages", len(g))
	}
	return g
}

// noteSources looks at every Go file, so that the go command, which keeps a passed test's result while nothing that the test
// itself looked at has changed, runs this one again after a change anywhere.
func noteSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
