package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// FrameVersion is the frame version that this program writes, and the only one that it reads.
const FrameVersion = 1

// Kind is what a frame is.
type Kind uint8

// The kinds, as they stand on the wire. 7 is kept for data that many readers share.
const (
	KindOpen Kind = iota + 1
	KindStatus
	KindData
	KindAnnouncement
	KindRequest
	KindResponse
)

// The start of every frame: version, kind, checksum (4), flags, length of the fields (4). The checksum covers all of it but itself, and the
// fields; not what follows them, which only a data frame has. Of the flags none is in use; signatures will be the first.
const (
	frameChecksum = 2
	frameFlags    = 6
	frameLength   = 7
	frameHead     = 11
)

// FrameKind tells what kind of frame b claims to be, without checking any of it; 0 if there is nothing to tell it from.
func FrameKind(b []byte) Kind {
	if len(b) < frameHead {
		return 0
	}
	return Kind(b[1])
}

func beginFrame(dst []byte, k Kind) []byte {
	return append(dst, FrameVersion, byte(k), 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// endFrame fills in the length and the checksum of the frame that begins at start, whose fields are complete.
func endFrame(b []byte, start int) []byte {
	f := b[start:]
	binary.BigEndian.PutUint32(f[frameLength:], uint32(len(f)-frameHead))
	binary.BigEndian.PutUint32(f[frameChecksum:], frameSum(f))
	return b
}

// frameSum is the checksum of a frame's start and fields, which f consists of.
func frameSum(f []byte) uint32 {
	return crc32.Update(crc32.Checksum(f[:frameChecksum], castagnoli), castagnoli, f[frameFlags:])
}

// openFrame checks the start of a frame and returns a reader for its fields and what follows them.
func openFrame(b []byte, want Kind) (fields reader, rest []byte, err error) {
	if len(b) < frameHead {
		return reader{}, nil, ErrShort
	}
	n := uint64(binary.BigEndian.Uint32(b[frameLength:]))
	if n > uint64(len(b)-frameHead) {
		return reader{}, nil, ErrShort
	}
	end := frameHead + int(n)
	if binary.BigEndian.Uint32(b[frameChecksum:]) != frameSum(b[:end]) {
		return reader{}, nil, ErrChecksum
	}
	if b[0] != FrameVersion {
		return reader{}, nil, fmt.Errorf("%w %d", ErrVersion, b[0])
	}
	if b[frameFlags] != 0 {
		return reader{}, nil, fmt.Errorf("%w: flags %#x", ErrVersion, b[frameFlags])
	}
	if k := Kind(b[1]); k != want {
		return reader{}, nil, fmt.Errorf("%w: %d instead of %d", ErrKind, k, want)
	}
	rest = b[end:]
	if len(rest) != 0 && want != KindData {
		return reader{}, nil, ErrMalformed
	}
	return reader{b: b[frameHead:end:end]}, rest, nil
}
