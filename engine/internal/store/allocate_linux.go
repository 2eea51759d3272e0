package store

import (
	"errors"
	"os"
	"syscall"
)

const keepSize = 1 // FALLOC_FL_KEEP_SIZE

// allocate makes the file system set room aside for the first size bytes of the file.
func allocate(file *os.File, size int64) error {
	for {
		switch err := syscall.Fallocate(int(file.Fd()), keepSize, 0, size); {
		case err == nil, errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return nil
		case !errors.Is(err, syscall.EINTR):
			return err
		}
	}
}
