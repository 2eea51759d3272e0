// Package docs holds documents to what they speak of.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuaranteesNameRealTests requires that every test that docs/guarantees.md names is there.
func TestGuaranteesNameRealTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 30 {
		t.Errorf("only %d tests are named", len(named))
	}
	there, mentioned := tests(t), map[string]bool{}
	for _, match := range named {
		mentioned[match[1]] = true
		if !there[match[1]] {
			t.Errorf("there is no %s", match[1])
		}
	}
	for name := range there {
		if strings.HasPrefix(name, "Fuzz") && !mentioned[name] {
			t.Errorf("the page does not say for how long %s was run", name)
		}
	}
}

// TestGuaranteesListThePlantedBugs requires a row with a seed for every bug, and none for a bug that is not there.
func TestGuaranteesListThePlantedBugs(t *testing.T) {
	page, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- planted: ")
	table, _, ended := strings.Cut(table, "<!-- end of planted")
	if !ended {
		t.Fatal("the table of planted bugs has no end")
	}
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|[^|]+\\| \\d+ \\|").FindAllStringSubmatch(table, -1) {
		listed[row[1]] = true
	}
	source, err := os.ReadFile("../../engine/internal/planted/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^\tName\w+\s+= "([a-z-]+)"$`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 10 {
		t.Fatalf("only %d bugs are found", len(names))
	}
	for _, name := range names {
		if !listed[name[1]] {
			t.Errorf("the bug %s has no row with what it does and a seed: run \"make planted\"", name[1])
		}
		delete(listed, name[1])
	}
	for name := range listed {
		t.Errorf("there is no bug %s", name)
	}
}

// tests are the names of all test functions of the module.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	found := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "node_modules" || len(name) > 2 && name[0] == '.') {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		for _, match := range function.FindAllSubmatch(source, -1) {
			found[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
