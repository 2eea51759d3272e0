//go:build !unix

package connect

import "io/fs"

// identityOf has nothing to tell files apart by on this system; paths and beginnings have to do.
func identityOf(fs.FileInfo) identity { return identity{} }

// unlinked cannot be told here; a file without its path counts as removed.
func unlinked(fs.FileInfo) bool { return true }

// writable cannot be told here without writing.
func writable(string, fs.FileInfo) bool { return true }
