package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/ncruces/go-sqlite3/vfs"
)

// room sets disk space aside for the database file before a commit needs it. So moving the write-roomAhead log into the database never
// fails for want of room, and the log can start over in the space it has: on a full disk positions can be committed for ever.
type room struct {
	allocator func(size int64) error // nil: cannot be done here
	spare     func(size int64) error // tells whether there is room for so much more; nil: only trying tells
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
		if v, ok := vfs.Find(f.vfs).(interface{ Spare(size int64) error }); ok {
			r.spare = v.Spare
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

// ensure sets room aside for size bytes. An error that wraps sqlite3.FULL says that there is not enough, one that wraps
// sqlite3.READONLY that nothing may be written.
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
	if code := refusal(err); code != 0 {
		err = errors.Join(code, err)
	}
	return fmt.Errorf("allocate %d bytes: %w", size, err)
}

func (r *room) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
