package connect

import (
	"encoding/json"
	"hash/crc32"
	"io"
	"os"
)

// identity is what a file system knows a file by.
type identity struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	known  bool
}

func (a identity) same(b identity) bool { return a.Device == b.Device && a.Inode == b.Inode }

// headSize is how much of a file's beginning is kept as a checksum, to notice that a file was written anew in place.
const headSize = 1024

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// place is how far a file has been read. It is stored as JSON under the file's path.
type place struct {
	identity
	Offset   int64  `json:"offset"` // bytes read and sent
	Line     int64  `json:"line"`   // whole lines among them
	HeadSize int64  `json:"head_size"`
	Head     uint32 `json:"head"` // CRC-32C of the first HeadSize bytes
	// Next are the places in the files that followed at the same path, older ones first; read once this one is done.
	Next []place `json:"next,omitempty"`
}

// sound says whether a place that was read back can be one.
func (p place) sound() bool {
	for _, next := range p.Next {
		if len(next.Next) > 0 || !next.sound() {
			return false
		}
	}
	return p.Offset >= 0 && p.HeadSize >= 0 && p.HeadSize <= headSize
}

func (p place) change(path string) Change {
	value, err := json.Marshal(p)
	if err != nil { // whole numbers always have a JSON form
		value = []byte("{}")
	}
	return Change{Key: path, Value: value}
}

// checksum reads the head of a file, at most size bytes of it.
func checksum(f *os.File, size int64) (uint32, bool) {
	buffer := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), buffer); err != nil {
		return 0, false
	}
	return crc32.Checksum(buffer, castagnoli), true
}

// fits says whether f can be the file that p is a place in.
func (p place) fits(f *os.File, size int64) bool {
	if size < p.Offset {
		return false
	}
	sum, ok := checksum(f, p.HeadSize)
	return ok && sum == p.Head
}

// advanced returns the place after the first bytes of data, which begins at p.Offset, with more whole lines.
func (p place) advanced(f *os.File, bytes, lines int64) place {
	p.Offset += bytes
	p.Line += lines
	if p.HeadSize < headSize && p.Offset > p.HeadSize {
		if sum, ok := checksum(f, min(p.Offset, headSize)); ok {
			p.HeadSize, p.Head = min(p.Offset, headSize), sum
		}
	}
	return p
}
