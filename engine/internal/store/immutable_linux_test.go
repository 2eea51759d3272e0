package store

import (
	"os"
	"syscall"
	"unsafe"
)

// immutable makes a file one that nobody may write, as chattr +i does, or writable again.
func immutable(path string, on bool) error {
	const get, set, flag = 0x80086601, 0x40086602, 0x10 // FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var flags int
	if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), get, uintptr(unsafe.Pointer(&flags))); code != 0 {
		return code
	}
	if flags &^= flag; on {
		flags |= flag
	}
	if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), set, uintptr(unsafe.Pointer(&flags))); code != 0 {
		return code
	}
	return nil
}
