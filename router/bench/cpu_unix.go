//go:build unix

package bench

import (
	"syscall"
	"time"
)

// processCPU returns the processor time that this process has used, its own and the system's for it.
func processCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
