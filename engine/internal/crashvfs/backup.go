package crashvfs

import "slices"

// Snapshot is a copy of a disk's files.
type Snapshot struct{ files map[string][]byte }

// Snapshot copies the files as the process sees them. With a transaction under way the copy may be torn, as any such backup.
func (d *Disk) Snapshot() *Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &Snapshot{files: make(map[string][]byte, len(d.files))}
	for name, f := range d.files {
		s.files[name] = slices.Clone(f.seen)
	}
	return s
}

// Restore ends the process and returns a disk that holds just the snapshot, durably.
func (d *Disk) Restore(s *Snapshot) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	files, durable := map[string]*inode{}, map[string]*inode{}
	for name, content := range s.files {
		files[name] = settled(slices.Clone(content))
		durable[name] = files[name]
	}
	return register(d.fork(), files, durable)
}

// Files lists the names of the files and their sizes, as the process sees them.
func (d *Disk) Files() map[string]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	sizes := make(map[string]int64, len(d.files))
	for name, f := range d.files {
		sizes[name] = int64(len(f.seen))
	}
	return sizes
}

// FlipBit flips one bit of a file, at rest. It tells whether the file has that bit.
func (d *Disk) FlipBit(name string, bit int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	if f == nil || bit < 0 || bit/8 >= int64(len(f.seen)) {
		return false
	}
	f.seen[bit/8] ^= 1 << (bit % 8)
	if bit/8 < int64(len(f.durable)) {
		f.durable[bit/8] ^= 1 << (bit % 8)
	}
	return true
}

// ReadFile returns a copy of a file as the process sees it; nil if there is none.
func (d *Disk) ReadFile(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[name]; f != nil {
		return append([]byte{}, f.seen...)
	}
	return nil
}

// WriteFile replaces a file, durably.
func (d *Disk) WriteFile(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = settled(slices.Clone(content))
	d.durable[name] = d.files[name]
}
