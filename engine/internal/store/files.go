package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/ncruces/go-sqlite3/vfs"
)

// files owns what lies around the database in the file system: its folder, the lock, and the reserve. On another VFS than the
// operating system's there is none of it.
type files struct {
	path     string
	vfs      string
	lock     *flock.Flock
	folders  []string // created by this Open, deepest first
	created  []string // files that were not there before this Open
	reserve  int64    // wanted size; 0: none
	held     bool
	tried    time.Duration // when the reserve was last tried to be restored
	room     room
	walPages int // a checkpoint is due from here on
}

func newFiles(o *Options) *files {
	f := &files{path: o.Path, vfs: o.VFS, reserve: max(o.Reserve, 0), walPages: walPagesLow}
	if o.MaxSize > 0 {
		f.walPages = int(min(max(o.MaxSize/8/pageSize, 64), walPagesLow))
	}
	if o.checkpointPages > 0 {
		f.walPages = o.checkpointPages
	}
	if o.VFS != "" {
		f.reserve = 0
	}
	return f
}

// prepare creates the folder and takes the lock.
func (f *files) prepare(lock bool) error {
	if f.vfs != "" {
		return nil
	}
	path, err := filepath.Abs(f.path)
	if err != nil {
		return err
	}
	f.path = path
	if err := f.makeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	var missing []string
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", ".reserve", ".lock"} {
		if _, err := os.Lstat(path + suffix); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, path+suffix)
		}
	}
	if lock {
		if err := f.takeLock(); err != nil {
			return err
		}
	}
	f.created = missing // only with the lock is it certain that nobody else made them
	if err := private(path + "-shm"); err != nil {
		return reason(err, path)
	}
	return nil
}

func (f *files) makeFolder(folder string) error {
	for at := folder; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		f.folders = append(f.folders, at)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("folder %s: %w: %w", folder, ErrNotWritable, err)
	}
	return nil
}

func (f *files) takeLock() error {
	f.lock = flock.New(f.path + ".lock")
	ok, err := f.lock.TryLock()
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return fmt.Errorf("folder %s: %w: %w", filepath.Dir(f.path), ErrNotWritable, err)
	case err != nil:
		return err
	case !ok:
		return ErrInUse
	}
	return nil
}

// sync makes the names of the database's files durable, and those of the folders created for them.
func (f *files) sync() error {
	if f.vfs != "" {
		if d, ok := vfs.Find(f.vfs).(interface{ SyncDir(name string) error }); ok {
			return d.SyncDir(f.path)
		}
		return nil
	}
	if runtime.GOOS == "windows" { // folders cannot be synced there
		return nil
	}
	for _, folder := range append([]string{f.path}, f.folders...) {
		if err := syncFolder(filepath.Dir(folder)); err != nil {
			return err
		}
	}
	return nil
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", folder, err)
	}
	return nil
}

// release closes what is open and gives up the lock.
func (f *files) release() error {
	err := f.room.close()
	if f.lock != nil {
		err = errors.Join(err, f.lock.Unlock())
	}
	return err
}

// remove takes away what a failed Open has created. What cannot be removed stays: the error that led here says more.
func (f *files) remove() {
	for _, path := range f.created {
		_ = os.Remove(path)
	}
	for _, folder := range f.folders {
		_ = os.Remove(folder)
	}
}

// reserveHeld tells whether the room that is kept for a full disk is there.
func (f *files) reserveHeld() bool { return f.reserve == 0 || f.held }

// releaseReserve gives the reserved room back to the disk; it tells whether there was any.
func (f *files) releaseReserve() bool {
	if f.reserve == 0 || !f.held {
		return false
	}
	f.held = false
	return os.Remove(f.path+".reserve") == nil
}

// restoreReserve tries, at most once a second, to reserve the room again.
func (f *files) restoreReserve(now time.Duration) bool {
	if f.tried != 0 && now-f.tried < time.Second {
		return false
	}
	f.tried = now
	path := f.path + ".reserve"
	if info, err := os.Stat(path); err == nil && info.Size() == f.reserve {
		f.held = true
		return true
	}
	err := fill(path, f.reserve)
	if err == nil {
		f.held = true
		return true
	}
	_ = os.Remove(path) // half a reserve only takes room
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		f.reserve = 0 // it will never be: go on without
		return true
	}
	return false
}

// fill writes a file that no file system can compress or leave unallocated.
func fill(path string, size int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	noise := rand.NewChaCha8([32]byte{})
	block := make([]byte, 64<<10)
	for size > 0 && err == nil {
		_, _ = noise.Read(block) // never fails
		_, err = file.Write(block[:min(size, int64(len(block)))])
		size -= int64(len(block))
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
