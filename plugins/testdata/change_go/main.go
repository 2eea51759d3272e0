//go:build wasip1

// Command change_go reads the body, changes a byte and emits it: the benchmark's guest.
package main

import "unsafe"

//go:wasmimport rmds1 read
func read(field, off uint32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport rmds1 emit
func emit(channel unsafe.Pointer, clen uint32, body unsafe.Pointer, blen uint32) int32

var (
	body [65536]byte
	out  = [3]byte{'o', 'u', 't'}
)

//go:wasmexport rmds_handle
func handle(int32) int32 {
	n := read(0, 0, unsafe.Pointer(&body), uint32(len(body)))
	if n <= 0 {
		return 3
	}
	body[0] ^= 0x20
	if emit(unsafe.Pointer(&out), uint32(len(out)), unsafe.Pointer(&body), uint32(n)) != 0 {
		return 3
	}
	return 0
}

func main() {}
