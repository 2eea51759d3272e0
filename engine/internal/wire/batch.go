package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/golang/snappy"
)

// BatchVersion is the batch version that this program writes, and the newest that it reads.
const BatchVersion = 1

// The fixed start of a batch, the same in every version: version, then the checksum over the version and everything behind the checksum.
const (
	batchChecksum = 1
	batchFixed    = 5
)

// The flags of a batch.
const (
	batchSnappy = 1 << 0
	batchFlags  = batchSnappy
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scratch holds buffers for joining and compressing bodies.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// SealBatch appends the batch that h and the segments make up to dst. With compress, the body is compressed if that makes it smaller.
// The caller sees to it that the segments hold First to Last, at most MaxMessages, and are at most MaxBody bytes together.
func SealBatch(dst []byte, h BatchHead, segments [][]byte, compress bool) []byte {
	return KnownVersions().SealBatch(dst, h, segments, compress)
}

// sealBatch writes a version. There is one layout so far, so versions differ in their number alone.
func sealBatch(dst []byte, version uint8, h BatchHead, segments [][]byte, compress bool) []byte {
	size := 0
	for _, s := range segments {
		size += len(s)
	}
	if !compress {
		dst = slices.Grow(dst, size+batchHeadRoom)
		start := len(dst)
		dst = appendBatchHead(dst, version, &h, 0, size)
		for _, s := range segments {
			dst = append(dst, s...)
		}
		return sum(dst, start)
	}
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	body, packed := pack(buf, segments, size)
	flags := byte(0)
	if len(packed) < len(body) {
		flags, body = batchSnappy, packed
	}
	dst = slices.Grow(dst, len(body)+batchHeadRoom)
	start := len(dst)
	dst = appendBatchHead(dst, version, &h, flags, size)
	return sum(append(dst, body...), start)
}

// SealHead returns what stands before the segments in a batch that is not compressed: followed by them it is the batch. What SealBatch asks
// of its caller holds here too.
func SealHead(h BatchHead, segments [][]byte) []byte { return KnownVersions().SealHead(h, segments) }

// SealHead is SealHead in the newest version of the range.
func (v Versions) SealHead(h BatchHead, segments [][]byte) []byte {
	size := 0
	for _, s := range segments {
		size += len(s)
	}
	head := appendBatchHead(make([]byte, 0, batchHeadRoom), v.Newest, &h, 0, size)
	crc := batchSum(head)
	for _, s := range segments {
		crc = crc32.Update(crc, castagnoli, s)
	}
	binary.BigEndian.PutUint32(head[batchChecksum:], crc)
	return head
}

// pack returns the joined segments and their compressed form, both in buf or in the only segment.
func pack(buf *[]byte, segments [][]byte, size int) (body, packed []byte) {
	most := snappy.MaxEncodedLen(size)
	*buf = slices.Grow((*buf)[:0], most+size)
	if len(segments) == 1 {
		return segments[0], snappy.Encode((*buf)[:most], segments[0])
	}
	body = (*buf)[most:most:cap(*buf)]
	for _, s := range segments {
		body = append(body, s...)
	}
	return body, snappy.Encode((*buf)[:most], body)
}

// batchHeadRoom is more than a batch takes beside its body.
const batchHeadRoom = 160

func appendBatchHead(dst []byte, version uint8, h *BatchHead, flags byte, body int) []byte {
	dst = append(dst, version, 0, 0, 0, 0, flags)
	dst = append(dst, h.Run[:]...)
	dst = appendString(dst, h.Channel)
	dst = appendUint(dst, h.First)
	dst = appendUint(dst, h.Last-h.First)
	dst = appendUint(dst, h.Prev)
	dst = appendUint(dst, uint64(h.Earliest))
	dst = appendUint(dst, uint64(h.Latest))
	return appendUint(dst, uint64(body))
}

// sum fills in the checksum of the batch that begins at start and returns b.
func sum(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start+batchChecksum:], batchSum(b[start:]))
	return b
}

func batchSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:batchChecksum], castagnoli), castagnoli, b[batchFixed:])
}

// Batch is a parsed batch. It aliases the bytes it was parsed from.
type Batch struct {
	Head   BatchHead
	flags  byte
	size   int // of the body, decompressed
	stored []byte
}

// ParseBatch checks the checksum, version and head of a batch and that its body can be decompressed within the limits, but does not
// decompress it. Errors wrap ErrShort, ErrChecksum, ErrVersion or ErrMalformed.
func ParseBatch(blob []byte) (Batch, error) { return KnownVersions().ParseBatch(blob) }

// ParseBatch is ParseBatch for a node that reads the versions of the range.
func (v Versions) ParseBatch(blob []byte) (Batch, error) {
	if len(blob) <= batchFixed {
		return Batch{}, fmt.Errorf("batch: %w", ErrShort)
	}
	if binary.BigEndian.Uint32(blob[batchChecksum:]) != batchSum(blob) {
		return Batch{}, fmt.Errorf("batch: %w", ErrChecksum)
	}
	if !v.Has(blob[0]) {
		return Batch{}, fmt.Errorf("batch: %w %d", ErrVersion, blob[0])
	}
	if flags := blob[batchFixed]; flags&^batchFlags != 0 {
		return Batch{}, fmt.Errorf("batch: %w: flags %#x", ErrVersion, flags)
	}
	b, ok := parseBatch(blob[batchFixed:])
	if !ok {
		return Batch{}, fmt.Errorf("batch: %w", ErrMalformed)
	}
	return b, nil
}

func parseBatch(p []byte) (Batch, bool) {
	r := reader{b: p}
	b := Batch{flags: r.byte()}
	h := &b.Head
	h.Run = r.id()
	h.Channel = r.name("")
	h.First = r.uint()
	h.Last = h.First + r.upTo(MaxMessages-1)
	h.Prev = r.uint()
	h.Earliest, h.Latest = r.expiry(), r.expiry()
	b.size = int(r.upTo(MaxBody))
	b.stored = r.b
	// Prev is below First, so First is not 0. That all messages expire implies that one of them is the first to.
	if r.bad || h.Last < h.First || h.Prev >= h.First || h.Latest != 0 && (h.Earliest == 0 || h.Earliest > h.Latest) {
		return Batch{}, false
	}
	size := len(b.stored)
	if b.flags&batchSnappy != 0 {
		var err error
		if size, err = snappy.DecodedLen(b.stored); err != nil {
			return Batch{}, false
		}
	}
	return b, size == b.size && uint64(size) >= 2*b.Count()
}

// expiry reads a sum of an engine time and a TTL.
func (r *reader) expiry() int64 { return int64(r.upTo(2 * MaxTime)) }

// Count is the number of messages that the batch says it has.
func (b *Batch) Count() uint64 { return b.Head.Last - b.Head.First + 1 }

// Size is the size of the body when decompressed, in bytes: what a decoder allocates at most.
func (b *Batch) Size() int { return b.size }

// Decoder decompresses the body into memory of its own and returns a decoder for its messages.
func (b *Batch) Decoder() (*Decoder, error) {
	body := b.stored
	if b.flags&batchSnappy != 0 {
		var err error
		if body, err = snappy.Decode(make([]byte, b.size), b.stored); err != nil {
			return nil, fmt.Errorf("batch %d to %d: %w: %w", b.Head.First, b.Head.Last, ErrMalformed, err)
		}
	}
	return &Decoder{r: reader{b: body}, next: b.Head.First, left: b.Count()}, nil
}
