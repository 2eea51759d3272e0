//go:build !linux

package bench

import "os"

// DefaultDir returns where a plan's databases go if nothing else is asked for.
func DefaultDir() string { return os.TempDir() }
