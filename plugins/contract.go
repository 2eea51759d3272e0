package plugins

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// fits compares the module, whose imports are linked, with the contract, and tells what it can be used as. The error is what is wrong, in words.
func (g *guest) fits(goGuest bool) (Kind, error) {
	if err := g.checkImports(); err != nil {
		return 0, err
	}
	kind, err := g.checkExports()
	if err == nil && goGuest && kind&Command == 0 && g.compiled.ExportedFunctions()[abi.ExportInitialize] == nil {
		return 0, fmt.Errorf("is a Go program that exports no %s, without which its functions cannot be called: build it with -buildmode=c-shared", abi.ExportInitialize)
	}
	return kind, err
}

// checkImports compares what the module imports with what the host offers. The error is what is wrong, in words.
func (g *guest) checkImports() error {
	for _, f := range g.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		host := g.runtime.Module(module)
		if host == nil && strings.HasPrefix(module, strings.TrimRight(abi.Module, "0123456789")) {
			return fmt.Errorf("imports %s.%s, but this router speaks contract %s: build the plugin for that, or use a router that knows %s", module, name, abi.Module, module)
		}
		if host == nil {
			return fmt.Errorf("imports %s.%s; the host offers the modules %s and %s, and env.abort", module, name, abi.Module, wasi_snapshot_preview1.ModuleName)
		}
		offered, ok := host.ExportedFunctionDefinitions()[name]
		if !ok {
			return fmt.Errorf("imports %s.%s, which does not exist in %s%s", module, name, module, meant(name, host.ExportedFunctionDefinitions()))
		}
		if got, want := signatureOf(f), signatureOf(offered); got != want {
			return fmt.Errorf("imports %s.%s with type %s, want %s", module, name, got, want)
		}
	}
	return nil
}

// checkExports tells what the module can be used as.
func (g *guest) checkExports() (Kind, error) {
	exports := g.compiled.ExportedFunctions()
	for _, name := range slices.Sorted(maps.Keys(abi.Exports)) {
		f, ok := exports[name]
		if !ok {
			continue
		}
		want := abi.Exports[name]
		if got := signatureOf(f); got != want {
			return 0, fmt.Errorf("%s has type %s, want %s", name, got, want)
		}
		if _, _, imported := f.Import(); imported {
			return 0, fmt.Errorf("%s is an imported function; it must be one of the module's own", name)
		}
	}
	var kind Kind
	for name, bit := range map[string]Kind{abi.ExportFilter: Filters, abi.ExportHandle: Handles, abi.ExportTick: Ticks} {
		if exports[name] != nil {
			kind |= bit
		}
	}
	if start := exports[abi.ExportStart]; kind == 0 && start != nil {
		if got := signatureOf(start); got != (abi.Signature{}) {
			return 0, fmt.Errorf("%s has type %s, want ()", abi.ExportStart, got)
		}
		kind = Command | Filters | Handles
	}
	if kind == 0 {
		return 0, fmt.Errorf("exports none of %s, %s, %s%s", abi.ExportFilter, abi.ExportHandle, abi.ExportTick, exportMeant(exports))
	}
	if g.compiled.ExportedMemories()[abi.ExportMemory] == nil {
		return 0, fmt.Errorf("does not export its memory; it must export it as %q", abi.ExportMemory)
	}
	return kind, nil
}

// importsKV tells whether the module imports any kv function.
func (g *guest) importsKV() bool {
	return slices.ContainsFunc(g.compiled.ImportedFunctions(), func(f api.FunctionDefinition) bool {
		module, name, _ := f.Import()
		return module == abi.Module && strings.HasPrefix(name, "kv_")
	})
}

func signatureOf(f api.FunctionDefinition) abi.Signature {
	return abi.Signature{Params: letters(f.ParamTypes()), Results: letters(f.ResultTypes())}
}

func letters(types []api.ValueType) string {
	b := make([]byte, len(types))
	for i, t := range types {
		switch t {
		case api.ValueTypeI32:
			b[i] = 'i'
		case api.ValueTypeI64:
			b[i] = 'l'
		case api.ValueTypeF32:
			b[i] = 'f'
		case api.ValueTypeF64:
			b[i] = 'd'
		default:
			b[i] = '?'
		}
	}
	return string(b)
}

// otherNames are what other hosts call these functions.
var otherNames = map[string]string{
	"kv_put": "kv_set", "kv_store": "kv_set", "kv_delete": "kv_del", "kv_remove": "kv_del", "kv_incr": "kv_add", "kv_list": "kv_next",
	"kv_scan": "kv_next", "send": "emit", "publish": "emit", "write": "set", "get": "read", "print": "log", "metric": "stat", "error": "fail", "abort": "fail",
	"get_header": "header", "option": "opt",
}

// meant suggests a name close to one that does not exist.
func meant(name string, offered map[string]api.FunctionDefinition) string {
	best, distance := "", 3
	if other := otherNames[name]; offered[other] != nil {
		best = other
	} else {
		for candidate := range offered {
			if d := editDistance(name, candidate); d < distance || (d == distance && best != "" && candidate < best) {
				best, distance = candidate, d
			}
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// exportMeant points out an export that looks like a misspelt entry point.
func exportMeant(exports map[string]api.FunctionDefinition) string {
	for _, entry := range []string{abi.ExportFilter, abi.ExportHandle, abi.ExportTick} {
		for name := range exports {
			if editDistance(name, entry) <= 2 || "rmds_"+name == entry {
				return fmt.Sprintf("; did you mean %s where it exports %s?", entry, name)
			}
		}
	}
	return fmt.Sprintf(": export at least one of them, or %s if it is a program on standard input and output", abi.ExportStart)
}

// editDistance is the number of letters to insert, delete or replace; names that differ much in length are simply far apart.
func editDistance(a, b string) int {
	if d := len(a) - len(b); d > 3 || d < -3 || len(a) > 64 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
