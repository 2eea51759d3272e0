//go:build wasip1

package rmds

import "unsafe"

//go:wasmimport rmds1 read
func importRead(field int32, off uint32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport rmds1 num
func hostNum(field int32) int64

//go:wasmimport rmds1 header
func importHeader(name string, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport rmds1 set
func importSet(field int32, p unsafe.Pointer, n uint32) int32

//go:wasmimport rmds1 set_header
func importSetHeader(name string, value unsafe.Pointer, n int32) int32

//go:wasmimport rmds1 emit_header
func hostEmitHeader(name, value string) int32

//go:wasmimport rmds1 opt
func hostOpt(key int32, value int64) int32

//go:wasmimport rmds1 emit
func importEmit(channel string, body unsafe.Pointer, n uint32) int32

//go:wasmimport rmds1 kv_get
func importKVGet(key string, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport rmds1 kv_set
func importKVSet(key string, value unsafe.Pointer, n uint32) int32

//go:wasmimport rmds1 kv_del
func hostKVDel(key string) int32

//go:wasmimport rmds1 kv_add
func hostKVAdd(key string, delta int64) int64

//go:wasmimport rmds1 kv_next
func importKVNext(after string, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport rmds1 log
func hostLog(level int32, text string)

//go:wasmimport rmds1 stat
func hostStat(name string, delta int64)

//go:wasmimport rmds1 fail
func hostFail(reason string)

func pointer(b []byte) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

func hostRead(field int32, off uint32, buf []byte) int32 {
	p, n := pointer(buf)
	return importRead(field, off, p, n)
}

func hostHeader(name string, buf []byte) int32 {
	p, n := pointer(buf)
	return importHeader(name, p, n)
}

func hostSet(field int32, b []byte) int32 {
	p, n := pointer(b)
	return importSet(field, p, n)
}

func hostSetHeader(name, value string) int32 {
	return importSetHeader(name, unsafe.Pointer(unsafe.StringData(value)), int32(len(value)))
}

func hostDeleteHeader(name string) int32 { return importSetHeader(name, nil, -1) }

func hostEmit(channel string, body []byte) int32 {
	p, n := pointer(body)
	return importEmit(channel, p, n)
}

func hostKVGet(key string, buf []byte) int32 {
	p, n := pointer(buf)
	return importKVGet(key, p, n)
}

func hostKVSet(key string, value []byte) int32 {
	p, n := pointer(value)
	return importKVSet(key, p, n)
}

func hostKVNext(after string, buf []byte) int32 {
	p, n := pointer(buf)
	return importKVNext(after, p, n)
}
