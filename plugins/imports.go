package plugins

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/getevo/rmds-router/plugins/internal/abi"
)

// hostFunc is an import. Its arguments come in s, each in a slot of its own and i32 in the lower half; its result goes to s[0].
type hostFunc func(in *instance, m api.Memory, s []uint64)

// hostFuncs are the imports of module rmds1, by name. Every name in abi.Imports has one.
var hostFuncs = map[string]hostFunc{
	"read":        hostRead,
	"num":         hostNum,
	"header":      hostHeader,
	"set":         hostSet,
	"set_header":  hostSetHeader,
	"emit_header": hostEmitHeader,
	"opt":         hostOpt,
	"emit":        hostEmit,
	"kv_get":      hostKVGet,
	"kv_set":      hostKVSet,
	"kv_del":      hostKVDel,
	"kv_add":      hostKVAdd,
	"kv_next":     hostKVNext,
	"log":         hostLog,
	"stat":        hostStat,
	"fail":        hostFail,
}

// defineImports instantiates module rmds1 in a runtime.
func defineImports(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(abi.Module)
	for name, signature := range abi.Imports {
		f := hostFuncs[name]
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, s []uint64) {
			in := ctx.(*instance)
			in.at = name
			f(in, mod.Memory(), s)
		}), letterTypes(signature.Params), letterTypes(signature.Results)).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

func letterTypes(letters string) []api.ValueType {
	types := make([]api.ValueType, len(letters))
	for i, c := range letters {
		types[i] = api.ValueTypeI32
		if c == 'l' {
			types[i] = api.ValueTypeI64
		}
	}
	return types
}

// guestBytes is n bytes of guest memory at p, valid until the import returns. Memory that the guest does not have traps; no bytes are no memory.
func (in *instance) guestBytes(m api.Memory, p, n uint64) []byte {
	if uint32(n) == 0 {
		return nil
	}
	b, ok := m.Read(uint32(p), uint32(n))
	if !ok {
		panic(badPointer{in.at, uint32(p), uint32(n), m.Size()})
	}
	return b
}

func give32(s []uint64, v int32) { s[0] = uint64(uint32(v)) }
func give64(s []uint64, v int64) { s[0] = uint64(v) }

// deliver copies the window of src that starts at off into the guest's buffer and gives the full length. The whole buffer has to be
// in memory even if less is copied, so that a wrong one shows at the first message and not at the first long one.
func deliver[T ~string | ~[]byte](in *instance, m api.Memory, s []uint64, src T, off, buf, capacity uint64) {
	dst := in.guestBytes(m, buf, capacity)
	from, to := abi.Window(len(src), uint32(off), uint32(capacity))
	copy(dst, src[from:to])
	give32(s, abi.Length(len(src)))
}
