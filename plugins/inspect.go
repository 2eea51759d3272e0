package plugins

import (
	"context"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/meter"
	"github.com/getevo/rmds-router/plugins/internal/screen"
)

// Module is what a plugin's file says of itself.
type Module struct {
	Size    int64  // bytes
	SHA256  string // in hexadecimal, as the configuration pins it
	Go      bool   // compiled by Go, whose runtime needs more memory than others
	Memory  int64  // bytes that it starts with
	Maximum int64  // bytes that it declares to grow to; 0 if it sets no bound
	Imports []Function
	Exports []Function
	Entries string // the entry points that it exports, of which its start may say that not all are in use; empty if there is a Problem
	Problem string // why a router would refuse it before any of it runs; empty if it fits the contract
}

// Function is an imported or exported function.
type Function struct {
	Module string // of an import
	Name   string
	Type   string // as (i32,i64)->i32
}

// Inspect reads a module and holds it against the contract, without running any of it. The error is one line that names the file and what is wrong.
func Inspect(ctx context.Context, file string) (*Module, error) {
	at := Config{Name: "file", File: file}
	module, err := at.readModule()
	if err != nil {
		return nil, err
	}
	info, err := screen.Module(module.bytes)
	if err != nil {
		return nil, at.problem(ErrModule, "%v", err)
	}
	if _, err := meter.Rewrite(module.bytes); err != nil { // also keeps what would kill the compiler away from it
		return nil, at.problem(ErrModule, "%v", err)
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer runtime.Close(ctx)
	compiled, err := runtime.CompileModule(ctx, module.bytes)
	if err != nil {
		return nil, at.problem(ErrModule, "%v", err)
	}
	m := &Module{Size: int64(len(module.bytes)), SHA256: module.digest(), Go: info.GoGuest}
	for _, memory := range compiled.ExportedMemories() {
		m.Memory = int64(memory.Min()) * page
		if maximum, bounded := memory.Max(); bounded {
			m.Maximum = int64(maximum) * page
		}
	}
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		m.Imports = append(m.Imports, Function{module, name, typeOf(f)})
	}
	for name, f := range compiled.ExportedFunctions() {
		m.Exports = append(m.Exports, Function{"", name, typeOf(f)})
	}
	slices.SortFunc(m.Exports, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	g := &guest{runtime: runtime, compiled: compiled}
	if err := g.link(ctx); err != nil {
		return nil, at.problem(ErrModule, "%v", err)
	}
	kind, err := g.fits(info.GoGuest)
	if err != nil {
		m.Problem = err.Error()
	} else {
		m.Entries = kind.String()
	}
	return m, nil
}

func typeOf(f api.FunctionDefinition) string {
	names := func(types []api.ValueType) string {
		var list []string
		for _, t := range types {
			list = append(list, api.ValueTypeName(t))
		}
		return strings.Join(list, ",")
	}
	text := "(" + names(f.ParamTypes()) + ")"
	if results := names(f.ResultTypes()); results != "" {
		text += "->" + results
	}
	return text
}
