package crashvfs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// Op is a kind of mutating operation.
type Op uint8

// The operations that count for CutAfter and that FailNext can hit.
const (
	Create Op = iota + 1
	Write
	Truncate
	Sync
	Delete
)

var disks atomic.Uint64 // numbers the names under which disks are registered

// Disk is one disk as one process sees it. Its methods are safe for concurrent use.
type Disk struct {
	name string

	mu      sync.Mutex
	random  *rand.Rand
	files   map[string]*inode // as the process sees them
	durable map[string]*inode // the names that survive a power cut
	dead    bool
	cut     int // operations until the cut; negative: none
	full    bool
	locked  bool          // read-only
	slow    time.Duration // what a sync takes
	fail    map[Op]error
	count   int
}

// New returns an empty disk, registered as a VFS under its Name until Close.
func New(seed uint64) *Disk {
	return register(rand.New(rand.NewPCG(seed, 0x5eed)), map[string]*inode{}, map[string]*inode{})
}

func register(random *rand.Rand, files, durable map[string]*inode) *Disk {
	d := &Disk{name: fmt.Sprintf("crash%d", disks.Add(1)), random: random, files: files, durable: durable, cut: -1, fail: map[Op]error{}}
	vfs.Register(d.name, access{d})
	return d
}

// Name is the name of the VFS.
func (d *Disk) Name() string { return d.name }

// Close unregisters the VFS. No connection may use it any more.
func (d *Disk) Close() {
	d.Kill()
	vfs.Unregister(d.name)
}

// CutAfter lets n more mutating operations succeed; the next one and everything after it fails. A write that is cut may still be
// found on the disk after a PowerCut, or part of it.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = n
}

// Kill makes every further operation fail.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// Dead tells whether the disk was killed or a cut has come.
func (d *Disk) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// SetFull makes every write that would let a file grow fail with SQLITE_FULL, or no longer.
func (d *Disk) SetFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// SetReadOnly makes everything that would change the disk fail with SQLITE_READONLY, or no longer. Syncs succeed.
func (d *Disk) SetReadOnly(locked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = locked
}

// SetSlow makes every sync take some time, which passes before it does anything. A disk that comes of this one is not slow.
func (d *Disk) SetSlow(sync time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slow = sync
}

// spin lets pass what a sync takes. Other operations go on meanwhile.
func (d *Disk) spin() {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow)
	}
}

// Full tells whether the disk was made full.
func (d *Disk) Full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full
}

// What a worn disk answers, for FailNext.
var (
	ErrSync  error = sqlite3.IOERR_FSYNC
	ErrWrite error = sqlite3.IOERR_WRITE
)

// FailNext makes the next operation of a kind fail with err, which is an sqlite3.ErrorCode, an sqlite3.ExtendedErrorCode or a
// vfs.SystemError. As on Linux, what a failed sync should have made durable is not made so by a later one.
func (d *Disk) FailNext(op Op, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail[op] = err
}

// Ops returns how many mutating operations succeeded.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// Restart ends the process and returns the disk as the next one finds it: with all that was written, synced or not.
func (d *Disk) Restart() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	random := d.fork()
	files := make(map[string]*inode, len(d.files))
	for _, name := range sorted(d.files) {
		files[name] = d.files[name].detached(random)
	}
	durable := make(map[string]*inode, len(d.durable))
	for _, name := range sorted(d.durable) {
		if f := d.durable[name]; f == d.files[name] {
			durable[name] = files[name]
		} else {
			durable[name] = f.detached(random)
		}
	}
	return register(random, files, durable)
}

// PowerCut ends the process and returns the disk as the next one finds it: with all that was synced and with some, none or all of
// the rest.
func (d *Disk) PowerCut() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	random := d.fork()
	names := d.survivors(random)
	files := make(map[string]*inode, len(names))
	for _, name := range sorted(names) {
		files[name] = settled(names[name].afterCut(random))
	}
	durable := make(map[string]*inode, len(files))
	for name, f := range files {
		durable[name] = f
	}
	return register(random, files, durable)
}

// survivors picks the names that are there after a power cut; d.mu is held.
func (d *Disk) survivors(random *rand.Rand) map[string]*inode {
	names := map[string]*inode{}
	if random.IntN(2) == 0 { // the folder happened to be written
		for name, f := range d.files {
			names[name] = f
		}
		return names
	}
	for name, f := range d.durable {
		names[name] = f
	}
	return names
}

func (d *Disk) fork() *rand.Rand { return rand.New(rand.NewPCG(d.random.Uint64(), d.random.Uint64())) }

func sorted(files map[string]*inode) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// step counts a mutating operation or says why it fails; d.mu is held.
func (d *Disk) step(op Op) error {
	if d.dead {
		return sqlite3.IOERR
	}
	if d.cut == 0 {
		d.dead = true
		return sqlite3.IOERR
	}
	if d.locked && op != Sync {
		return sqlite3.READONLY
	}
	if err := d.fail[op]; err != nil {
		delete(d.fail, op)
		return err
	}
	if d.cut > 0 {
		d.cut--
	}
	d.count++
	return nil
}

func (d *Disk) syncNames() {
	clear(d.durable)
	for name, f := range d.files {
		d.durable[name] = f
	}
}
