package crashvfs

import (
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

const sector = 512

// change is one operation on a file's content that was not synced.
type change struct {
	off      int64
	data     []byte
	truncate bool
	cut      bool // the process did not see it happen
}

type inode struct {
	seen    []byte // as the process sees it
	durable []byte
	pending []change
	room    int64 // set aside: writes up to here succeed on a full disk
	holders map[*file]vfs.LockLevel
}

func settled(content []byte) *inode {
	return &inode{seen: slices.Clone(content), durable: content, holders: map[*file]vfs.LockLevel{}}
}

// detached returns the file for the next process; the one before does not change it any more. An operation that was cut either
// happened or did not: the next process sees what a later power cut may leave.
func (f *inode) detached(random *rand.Rand) *inode {
	next := &inode{seen: f.seen, durable: f.durable, pending: f.pending, room: f.room, holders: map[*file]vfs.LockLevel{}}
	if n := len(next.pending); n > 0 && next.pending[n-1].cut {
		last := next.pending[n-1]
		next.pending = next.pending[:n-1]
		if random.IntN(2) == 0 {
			last.cut = false
			next.seen, next.pending = last.apply(next.seen), append(next.pending, last)
		}
	}
	return next
}

func (c change) apply(b []byte) []byte {
	if c.truncate {
		if c.off <= int64(len(b)) {
			return b[:c.off]
		}
		return append(b, make([]byte, c.off-int64(len(b)))...)
	}
	if n := c.off + int64(len(c.data)); n > int64(len(b)) {
		b = append(b, make([]byte, n-int64(len(b)))...)
	}
	copy(b[c.off:], c.data)
	return b
}

// pages holds the memory of large writes that are durable, for the next ones: nearly all of them are of one size.
var pages sync.Pool

// large is how long a write is whose memory is worth keeping.
const large = 4 << 10

// copied returns a copy of what is written, until it is durable.
func copied(p []byte) []byte {
	if len(p) < large {
		return slices.Clone(p)
	}
	if b, ok := pages.Get().(*[]byte); ok && cap(*b) >= len(p) {
		return append((*b)[:0], p...)
	}
	return slices.Clone(p)
}

// sync makes everything durable.
func (f *inode) sync() {
	for _, c := range f.pending {
		f.durable = c.apply(f.durable)
		if data := c.data; len(data) >= large {
			pages.Put(&data)
		}
	}
	f.pending = nil
}

// afterCut returns what a power cut leaves of the file.
func (f *inode) afterCut(random *rand.Rand) []byte {
	b := slices.Clone(f.durable)
	switch random.IntN(5) {
	case 0: // nothing reached the disk
	case 1: // everything did
		for _, c := range f.pending {
			b = c.apply(b)
		}
	case 2: // it stopped somewhere, in order
		for _, c := range f.pending[:random.IntN(len(f.pending)+1)] {
			b = c.apply(b)
		}
	case 3: // any writes, in any order
		for _, c := range f.pending {
			if random.IntN(2) == 0 {
				b = c.apply(b)
			}
		}
	case 4: // any sectors
		for _, c := range f.pending {
			b = c.tear(b, random)
		}
	}
	return b
}

// tear applies some of the sectors of a change.
func (c change) tear(b []byte, random *rand.Rand) []byte {
	if c.truncate {
		if random.IntN(2) == 0 {
			b = c.apply(b)
		}
		return b
	}
	for from := int64(0); from < int64(len(c.data)); {
		to := min((c.off+from)/sector*sector+sector-c.off, int64(len(c.data)))
		if random.IntN(3) > 0 {
			b = change{off: c.off + from, data: c.data[from:to]}.apply(b)
		}
		from = to
	}
	return b
}
