package crashvfs

import (
	"io"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// access is the VFS of a disk.
type access struct{ d *Disk }

// SyncDir makes the names of all files durable.
func (a access) SyncDir(string) error {
	a.d.spin()
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	if err := a.d.step(Sync); err != nil {
		return err
	}
	a.d.syncNames()
	return nil
}

// Allocate sets room aside for the first size bytes of a file: writes there succeed on a full disk.
func (a access) Allocate(name string, size int64) error {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	f := a.d.files[name]
	switch {
	case a.d.dead:
		return sqlite3.IOERR
	case f == nil:
		return sqlite3.CANTOPEN
	case a.d.locked:
		return sqlite3.READONLY
	case a.d.full && size > max(int64(len(f.seen)), f.room):
		return sqlite3.FULL
	}
	f.room = max(f.room, size)
	return nil
}

// Spare tells whether there is room for so many bytes more.
func (a access) Spare(int64) error {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	switch {
	case a.d.dead:
		return sqlite3.IOERR
	case a.d.full:
		return sqlite3.FULL
	}
	return nil
}

func (a access) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	if a.d.dead {
		return nil, flags, sqlite3.IOERR
	}
	f := a.d.files[name]
	created := f == nil
	if created {
		if flags&vfs.OPEN_CREATE == 0 {
			return nil, flags, sqlite3.CANTOPEN
		}
		if err := a.d.step(Create); err != nil {
			return nil, flags, err
		}
		f = settled(nil)
		if name != "" { // else a temporary file
			a.d.files[name] = f
		}
	}
	journal := flags&(vfs.OPEN_MAIN_JOURNAL|vfs.OPEN_SUPER_JOURNAL|vfs.OPEN_WAL) != 0
	return &file{d: a.d, f: f, syncNames: created && journal}, flags, nil
}

func (a access) Delete(name string, syncDir bool) error {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	if a.d.dead {
		return sqlite3.IOERR
	}
	if a.d.files[name] == nil {
		return sqlite3.IOERR_DELETE_NOENT
	}
	if err := a.d.step(Delete); err != nil {
		return err
	}
	delete(a.d.files, name)
	if syncDir {
		a.d.syncNames()
	}
	return nil
}

func (a access) Access(name string, _ vfs.AccessFlag) (bool, error) {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	if a.d.dead {
		return false, sqlite3.IOERR
	}
	_, ok := a.d.files[name]
	return ok, nil
}

func (a access) FullPathname(name string) (string, error) { return name, nil }

// file is one opening of a file.
type file struct {
	d          *Disk
	f          *inode
	syncNames  bool // with the first sync
	persistWAL bool
	lock       vfs.LockLevel
}

var (
	_ vfs.FilePersistWAL = (*file)(nil)
	_ vfs.FileLockState  = (*file)(nil)
)

func (x *file) Close() error { return x.Unlock(vfs.LOCK_NONE) }

func (x *file) ReadAt(p []byte, off int64) (int, error) {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if x.d.dead {
		return 0, sqlite3.IOERR_READ
	}
	if off >= int64(len(x.f.seen)) {
		return 0, io.EOF
	}
	n := copy(p, x.f.seen[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (x *file) WriteAt(p []byte, off int64) (int, error) {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if x.d.full && off+int64(len(p)) > max(int64(len(x.f.seen)), x.f.room) && !x.d.dead {
		return 0, sqlite3.FULL
	}
	if err := x.change(Write, change{off: off, data: copied(p)}); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (x *file) Truncate(size int64) error {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	return x.change(Truncate, change{off: size, truncate: true})
}

// change applies an operation; x.d.mu is held. The one that a cut hits was on its way: it may have reached the disk, but the
// process does not see it.
func (x *file) change(op Op, c change) error {
	hit := !x.d.dead && x.d.cut == 0
	err := x.d.step(op)
	if err == nil {
		x.f.seen = c.apply(x.f.seen)
	}
	if err == nil || hit {
		c.cut = hit
		x.f.pending = append(x.f.pending, c)
	}
	return err
}

func (x *file) Sync(vfs.SyncFlag) error {
	x.d.spin()
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if err := x.d.step(Sync); err != nil {
		if !x.d.dead {
			x.f.pending = nil // the system takes them for written now
		}
		return err
	}
	x.f.sync()
	if x.syncNames {
		x.syncNames = false
		x.d.syncNames()
	}
	return nil
}

func (x *file) Size() (int64, error) {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if x.d.dead {
		return 0, sqlite3.IOERR
	}
	return int64(len(x.f.seen)), nil
}

func (x *file) Lock(want vfs.LockLevel) error {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if x.lock >= want {
		return nil
	}
	for other, level := range x.f.holders {
		if other == x {
			continue
		}
		if level >= vfs.LOCK_EXCLUSIVE || want >= vfs.LOCK_EXCLUSIVE || want >= vfs.LOCK_RESERVED && level >= vfs.LOCK_RESERVED {
			return sqlite3.BUSY
		}
	}
	x.lock = want
	x.f.holders[x] = want
	return nil
}

func (x *file) Unlock(to vfs.LockLevel) error {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if to == vfs.LOCK_NONE {
		delete(x.f.holders, x)
	} else if _, held := x.f.holders[x]; held {
		x.f.holders[x] = min(to, x.lock)
	}
	x.lock = min(to, x.lock)
	return nil
}

func (x *file) CheckReservedLock() (bool, error) {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	for _, level := range x.f.holders {
		if level >= vfs.LOCK_RESERVED {
			return true, nil
		}
	}
	return false, nil
}

func (x *file) LockState() vfs.LockLevel { return x.lock }
func (x *file) PersistWAL() bool         { return x.persistWAL }
func (x *file) SetPersistWAL(keep bool)  { x.persistWAL = keep }
func (x *file) SectorSize() int          { return sector }

// DeviceCharacteristics says what disks promise: a torn write leaves the bytes beside it alone.
func (x *file) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE
}
