package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// What a data frame takes at most beside the bytes of its batches or its piece: MaxDataHead, and for each skip and batch that much more.
const (
	MaxDataHead  = 298
	MaxSkipSize  = 31
	MaxBatchSize = 17
)

// What follows the fields of a data frame.
const (
	carriesBatches = 0
	carriesPiece   = 1
)

// Append appends the frame to dst. Skips have to ascend without overlap and end at Last or before, and so do batches.
func (d *Data) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginFrame(dst, KindData)
	dst = appendSession(dst, d.Session)
	dst = append(dst, d.ReceiverRun[:]...)
	dst = appendUint(dst, d.Number)
	dst = appendString(dst, d.Channel)
	dst = appendUint(dst, d.Join)
	dst = appendPosition(dst, d.Prev)
	dst = append(dst, d.Run[:]...)
	dst = appendUint(dst, d.Last)
	dst = appendUint(dst, uint64(d.EngineNow))
	dst = appendSkips(dst, d.Skips)
	if p := d.Piece; p != nil {
		dst = append(dst, carriesPiece)
		dst = appendUint(appendUint(appendUint(dst, p.First), p.Offset), p.Total)
		dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(p.Data, castagnoli))
		return append(endFrame(dst, start), p.Data...)
	}
	dst = append(dst, carriesBatches)
	dst = appendUint(dst, uint64(len(d.Batches)))
	next := uint64(1)
	for i := range d.Batches {
		b := &d.Batches[i]
		dst = appendUint(appendUint(appendUint(dst, b.First-next), b.Last-b.First), uint64(len(b.Blob)))
		next = b.Last + 1
	}
	dst = endFrame(dst, start)
	for i := range d.Batches {
		dst = append(dst, d.Batches[i].Blob...)
	}
	return dst
}

// Parse reads a frame, reusing the memory that d holds. Batches and the piece alias b. The piece's checksum has been checked; batches
// have one of their own and have not been looked at: ParseBatches does that. On error d is undefined.
func (d *Data) Parse(b []byte) error {
	r, rest, err := openFrame(b, KindData)
	if err != nil {
		return fmt.Errorf("data frame: %w", err)
	}
	d.Session = r.session()
	d.ReceiverRun = r.id()
	d.Number = r.uint()
	d.Channel = r.name(d.Channel)
	d.Join = r.uint()
	d.Prev = r.position()
	d.Run = r.id()
	d.Last = r.uint()
	d.EngineNow = r.time()
	d.Skips = r.skips(d.Skips, d.Last)
	d.Piece, d.Batches = nil, d.Batches[:0]
	if r.max8(carriesPiece) == carriesPiece {
		sum := uint32(0)
		d.Piece, sum = r.piece(rest, d.Last)
		if !r.bad && sum != crc32.Checksum(rest, castagnoli) {
			return fmt.Errorf("data frame: piece: %w", ErrChecksum)
		}
	} else {
		d.Batches = r.batches(d.Batches, rest, d.Last)
	}
	if d.Number == 0 || d.Prev.Run == d.Run && d.Prev.Seq > d.Last {
		r.fail()
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("data frame: %w", err)
	}
	return nil
}

// ParseData reads a frame. Errors wrap those of this package.
func ParseData(b []byte) (*Data, error) {
	d := new(Data)
	if err := d.Parse(b); err != nil {
		return nil, err
	}
	return d, nil
}

// appendSkips encodes each range as its distance from the end of the one before, its length less one, how many of its sequences are no
// messages of the channel, and its reason.
func appendSkips(dst []byte, list []Skip) []byte {
	dst = appendUint(dst, uint64(len(list)))
	next := uint64(1)
	for _, s := range list {
		dst = appendUint(appendUint(dst, s.From-next), s.To-s.From)
		dst = append(appendUint(dst, s.To-s.From+1-s.Count), byte(s.Reason))
		next = s.To + 1
	}
	return dst
}

func (r *reader) skips(old []Skip, last uint64) []Skip {
	list := resize(old, r.count(MaxSkips, 4))
	next := uint64(1)
	for i := range list {
		gap, more, foreign := r.uint(), r.uint(), r.uint()
		reason := Reason(r.max8(byte(Corrupt)))
		if next > last || gap > last-next || more > last-next-gap || foreign > more+1 || reason == 0 {
			r.fail()
			return list[:0]
		}
		from := next + gap
		list[i] = Skip{From: from, To: from + more, Count: more + 1 - foreign, Reason: reason}
		if next = from + more + 1; next == 0 && i < len(list)-1 {
			r.fail()
			return list[:0]
		}
	}
	return list
}

// piece reads the place of the bytes in rest and what their checksum should be.
func (r *reader) piece(rest []byte, last uint64) (*Piece, uint32) {
	p := &Piece{First: r.uint(), Offset: r.uint(), Total: r.upTo(MaxBatch), Data: rest}
	sum := r.take(4)
	if r.bad || len(rest) == 0 || p.Offset > p.Total || uint64(len(rest)) > p.Total-p.Offset || p.First == 0 || p.First > last || last-p.First >= MaxMessages {
		r.fail()
		return nil, 0
	}
	return p, binary.BigEndian.Uint32(sum)
}

// batches cuts rest into the batches whose places and lengths it reads.
func (r *reader) batches(list []Carried, rest []byte, last uint64) []Carried {
	n := r.count(MaxBatches, 3)
	content := reader{b: rest}
	next := uint64(1)
	for range n {
		gap, more, size := r.uint(), r.upTo(MaxMessages-1), r.upTo(MaxBatch)
		if r.bad || size == 0 || next == 0 || next > last || gap > last-next || more > last-next-gap {
			r.fail()
			return list[:0]
		}
		first := next + gap
		list = append(list, Carried{First: first, Last: first + more, Blob: content.take(size)})
		next = first + more + 1 // 0 behind the last number there is
	}
	if content.end() != nil {
		r.fail()
	}
	return list
}

// Damage is what is wrong with one batch of a frame.
type Damage struct {
	Index int // of the batch in Batches
	Err   error
}

// ParseBatches parses the frame's batches and appends them to dst; they have to be of the frame's run and channel, and of the sequences that the
// frame says. Those that are damaged are left out and listed; what is wrong with them wraps ErrShort, ErrChecksum or ErrMalformed. The error, which
// wraps ErrVersion, says that the frame has a batch of a version that is not in v.
func (d *Data) ParseBatches(v Versions, dst []Batch) (list []Batch, damaged []Damage, err error) {
	for i := range d.Batches {
		c := &d.Batches[i]
		b, err := d.parseBatch(v, c)
		switch {
		case errors.Is(err, ErrVersion):
			return dst, nil, fmt.Errorf("batch %d to %d: %w", c.First, c.Last, err)
		case err != nil:
			damaged = append(damaged, Damage{i, err})
		default:
			dst = append(dst, b)
		}
	}
	return dst, damaged, nil
}

// ParseWhole parses a batch of the frame that was put together from pieces, of which the frame has the last. Errors are those of ParseBatch.
func (d *Data) ParseWhole(v Versions, blob []byte) (Batch, error) {
	return d.parseBatch(v, &Carried{First: d.Piece.First, Last: d.Last, Blob: blob})
}

func (d *Data) parseBatch(v Versions, c *Carried) (Batch, error) {
	b, err := v.ParseBatch(c.Blob)
	if err != nil {
		return b, err
	}
	if h := &b.Head; h.Run != d.Run || h.Channel != d.Channel || h.First != c.First || h.Last != c.Last {
		return b, fmt.Errorf("batch: %w: it is not the one that its frame names", ErrMalformed)
	}
	return b, nil
}
