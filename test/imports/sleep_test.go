package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestNoBareSleep refuses time.Sleep in tests, where it is either too short on a slow machine or wasted time on a fast one.
// Two uses are right: in a loop that polls to a deadline, and in a file that runs on testing/synctest's virtual time.
func TestNoBareSleep(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "testdata" || name == "node_modules" || (len(name) > 2 && name[0] == '.')) {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, at := range bareSleeps(file) {
			t.Errorf("%s: a test waits with time.Sleep; poll in a loop to a deadline, or use testing/synctest", files.Position(at))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBareSleepIsFound(t *testing.T) {
	for source, want := range map[string]int{
		`func f() { time.Sleep(1) }`:                           1,
		`func f() { for !done() { time.Sleep(1) } }`:           0,
		`func f() { for range 3 { g() }; time.Sleep(1) }`:      1,
		`func f() { for { go func() { time.Sleep(1) }() } }`:   1,
		`import "testing/synctest"; func f() {time.Sleep(1) }`: 0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(bareSleeps(file)); got != want {
			t.Errorf("%s: found %d, want %d", source, got, want)
		}
	}
}

// bareSleeps returns where the file calls time.Sleep outside of a loop, unless it imports testing/synctest.
func bareSleeps(file *ast.File) []token.Pos {
	for _, i := range file.Imports {
		if path, _ := strconv.Unquote(i.Path.Value); path == "testing/synctest" {
			return nil
		}
	}
	var found []token.Pos
	inLoop := []bool{false} // one per function around, true inside of a loop in it
	var walk func(ast.Node) bool
	walk = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			inLoop = append(inLoop, false)
			ast.Inspect(n.Body, walk)
			inLoop = inLoop[:len(inLoop)-1]
			return false
		case *ast.ForStmt:
			return walkLoop(n.Body, inLoop, walk)
		case *ast.RangeStmt:
			return walkLoop(n.Body, inLoop, walk)
		case *ast.CallExpr:
			if isTimeSleep(n.Fun) && !inLoop[len(inLoop)-1] {
				found = append(found, n.Pos())
			}
		}
		return true
	}
	ast.Inspect(file, walk)
	return found
}

func walkLoop(body *ast.BlockStmt, inLoop []bool, walk func(ast.Node) bool) bool {
	before := inLoop[len(inLoop)-1]
	inLoop[len(inLoop)-1] = true
	ast.Inspect(body, walk)
	inLoop[len(inLoop)-1] = before
	return false
}

func isTimeSleep(fun ast.Expr) bool {
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Sleep" {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && pkg.Name == "time"
}
