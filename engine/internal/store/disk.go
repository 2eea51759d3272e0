package store

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// diskVFS is the name of the operating system's VFS as this package uses it.
const diskVFS = "rmds-disk"

// registerDisk registers diskVFS, once.
var registerDisk = sync.OnceFunc(func() { vfs.Register(diskVFS, disk{vfs.Find("os")}) })

// disk is the operating system's VFS, but says that a full disk is full, and one that must not be written read-only: the
// library's own (0.37) reports both as any other failed write, after which nothing would be certain.
type disk struct{ vfs.VFS }

var _ vfs.VFSFilename = disk{}

func (d disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpen(d.VFS, name, flags)
	return wrapFile(f, flags, err)
}

func (d disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name != nil && flags&vfs.OPEN_CREATE != 0 {
		if err := private(name.String()); err != nil {
			return nil, flags, vfs.SystemError(err, sqlite3.CANTOPEN)
		}
	}
	f, flags, err := vfsutil.WrapOpenFilename(d.VFS, name, flags)
	return wrapFile(f, flags, err)
}

// private makes a file that only its owner may read, unless there is one. The library's own (0.37) leaves that to the umask.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func wrapFile(f vfs.File, flags vfs.OpenFlag, err error) (vfs.File, vfs.OpenFlag, error) {
	if err != nil {
		return nil, flags, err
	}
	return diskFile{f}, flags, nil
}

type diskFile struct{ vfs.File }

var (
	_ vfs.FileLockState    = diskFile{}
	_ vfs.FilePersistWAL   = diskFile{}
	_ vfs.FileSizeHint     = diskFile{}
	_ vfs.FileHasMoved     = diskFile{}
	_ vfs.FileSharedMemory = diskFile{}
	_ vfs.FileUnwrap       = diskFile{}
)

func (f diskFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if code := refusal(err); code != 0 {
		err = vfs.SystemError(err, code)
	}
	return n, err
}

// refusal is what SQLite is to know of a write that the system refused before it did anything; 0: it is not known what was done.
func refusal(err error) sqlite3.ErrorCode {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return sqlite3.FULL
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return sqlite3.READONLY
	}
	return 0
}

func (f diskFile) LockState() vfs.LockLevel       { return vfsutil.WrapLockState(f.File) }
func (f diskFile) PersistWAL() bool               { return vfsutil.WrapPersistWAL(f.File) }
func (f diskFile) SetPersistWAL(keep bool)        { vfsutil.WrapSetPersistWAL(f.File, keep) }
func (f diskFile) SizeHint(size int64) error      { return vfsutil.WrapSizeHint(f.File, size) }
func (f diskFile) HasMoved() (bool, error)        { return vfsutil.WrapHasMoved(f.File) }
func (f diskFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }
func (f diskFile) Unwrap() vfs.File               { return f.File }

// DeviceCharacteristics leaves out atomic batches of writes, which are not passed on.
func (f diskFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.File.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}
