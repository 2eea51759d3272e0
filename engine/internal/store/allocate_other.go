//go:build !linux

package store

import "os"

// allocate does nothing: only Linux can set room aside without changing the file.
func allocate(*os.File, int64) error { return nil }
