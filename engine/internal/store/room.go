package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// room sets disk space aside for the database file before a commit needs it. So moving the write-roomAhead log into the database never
// fails for want of room, and the log can start over in the space it has: on a full disk positions can be committed for ever.
type room struct {
	allocator func(size int64) error // nil: cannot be done here
	allocated int64
	file      *os.File
}

// roomAhead is how much more than needed is set aside, while there is plenty.
const roomAhead = 4 << 20

func (r *room) open(f *files) error {
	if f.vfs != "" {
		if v, ok := vfs.Find(f.vfs).(interface {
			Allocate(name string, size int64) error
		}); ok {
			r.allocator = func(size int64) error { return v.Allocate(f.path, size) }
		}
		return nil
	}
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r.file = file
	r.allocator = func(size int64) error { return allocate(file, size) }
	return nil
}

// ensure sets room aside for size bytes. An error that wraps sqlite3.FULL says that there is not enough.
func (r *room) ensure(size int64) error {
	if r.allocator == nil || size <= r.allocated {
		return nil
	}
	err := r.allocator(size + roomAhead)
	if err == nil {
		r.allocated = size + roomAhead
		return nil
	}
	if err = r.allocator(size); err == nil {
		r.allocated = size
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = errors.Join(sqlite3.FULL, err)
	}
	return fmt.Errorf("allocate %d bytes: %w", size, err)
}

func (r *room) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
