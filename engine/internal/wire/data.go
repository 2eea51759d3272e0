package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// What a data frame takes at most beside the bytes of its batches or its piece: MaxDataHead, and for each skip and batch that much more.
const (
	MaxDataHead    = 288
	MaxSkipSize    = 31
	MaxBatchLength = 4
)

// What follows the fields of a data frame.
const (
	carriesBatches = 0
	carriesPiece   = 1
)

// Append appends the frame to dst. Skips have to ascend without overlap and end at Last or before.
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
		dst = appendUint(appendUint(dst, p.Offset), p.Total)
		dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(p.Data, castagnoli))
		return append(endFrame(dst, start), p.Data...)
	}
	dst = append(dst, carriesBatches)
	dst = appendUint(dst, uint64(len(d.Batches)))
	for _, b := range d.Batches {
		dst = appendUint(dst, uint64(len(b)))
	}
	dst = endFrame(dst, start)
	for _, b := range d.Batches {
		dst = append(dst, b...)
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
		d.Piece, sum = r.piece(rest)
		if !r.bad && sum != crc32.Checksum(rest, castagnoli) {
			return fmt.Errorf("data frame: piece: %w", ErrChecksum)
		}
	} else {
		d.Batches = r.batches(d.Batches, rest)
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
func (r *reader) piece(rest []byte) (*Piece, uint32) {
	p := &Piece{Offset: r.uint(), Total: r.upTo(MaxBatch), Data: rest}
	sum := r.take(4)
	if r.bad || len(rest) == 0 || p.Offset > p.Total || uint64(len(rest)) > p.Total-p.Offset {
		r.fail()
		return nil, 0
	}
	return p, binary.BigEndian.Uint32(sum)
}

// batches cuts rest into the batches whose lengths it reads.
func (r *reader) batches(list [][]byte, rest []byte) [][]byte {
	n := r.count(MaxBatches, 1)
	content := reader{b: rest}
	for range n {
		size := r.upTo(MaxBatch)
		if size == 0 {
			r.fail()
		}
		list = append(list, content.take(size))
	}
	if content.end() != nil {
		r.fail()
	}
	return list
}

// ParseBatches parses the frame's batches and appends them to dst. They have to be of the frame's run and channel, ascend, and end
// at Last or before. Errors wrap those of ParseBatch.
func (d *Data) ParseBatches(v Versions, dst []Batch) ([]Batch, error) {
	prev := uint64(0)
	for i, blob := range d.Batches {
		b, err := v.ParseBatch(blob)
		if err != nil {
			return dst, fmt.Errorf("batch %d of a frame: %w", i, err)
		}
		if h := &b.Head; h.Run != d.Run || h.Channel != d.Channel || h.First <= prev || h.Last > d.Last {
			return dst, fmt.Errorf("batch %d of a frame does not fit it: %w", i, ErrMalformed)
		}
		prev = b.Head.Last
		dst = append(dst, b)
	}
	return dst, nil
}
