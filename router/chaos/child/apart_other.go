//go:build !linux

package child

import "syscall"

// apart leaves the process as it is started: what Linux offers is not to be had everywhere.
func apart() *syscall.SysProcAttr { return nil }
