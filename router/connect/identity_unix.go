//go:build unix

package connect

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// identityOf tells files apart whatever they are called.
func identityOf(info fs.FileInfo) identity {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{Device: uint64(s.Dev), Inode: s.Ino, known: true} //nolint:unconvert // of another type on other systems
	}
	return identity{}
}

// unlinked says whether a file has no name any more.
func unlinked(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || s.Nlink == 0
}

// writable says whether this user may create files in a folder.
func writable(folder string, _ fs.FileInfo) bool {
	return unix.Access(folder, unix.W_OK|unix.X_OK) == nil
}
