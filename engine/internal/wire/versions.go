package wire

import "fmt"

// Versions is a range of batch versions, both ends included, that a node reads. It writes the newest.
type Versions struct{ Oldest, Newest uint8 }

// KnownVersions is what this program reads.
func KnownVersions() Versions { return Versions{BatchVersion, BatchVersion} }

// Has tells whether a batch version is in the range.
func (v Versions) Has(version uint8) bool { return v.Oldest <= version && version <= v.Newest }

// Common is the newest version in both ranges.
func (v Versions) Common(w Versions) (version uint8, ok bool) {
	version = min(v.Newest, w.Newest)
	return version, v.Has(version) && w.Has(version)
}

// String writes the range as people do.
func (v Versions) String() string {
	if v.Oldest == v.Newest {
		return fmt.Sprint(v.Newest)
	}
	return fmt.Sprintf("%d to %d", v.Oldest, v.Newest)
}

// Covers tells whether everything that a node of range w writes can be read.
func (v Versions) Covers(w Versions) bool { return v.Oldest <= 1 && w.Newest <= v.Newest }

// VersionOf is the version of an encoded batch; 0 for none.
func VersionOf(blob []byte) uint8 {
	if len(blob) == 0 {
		return 0
	}
	return blob[0]
}

// Recode encodes a batch anew, in another version, for a reader that does not know the one it lies in. Both have to be in v. Every
// version there has been has the same messages, so that nothing is lost; one that has more must not be in the range of a program that cannot
// write it without. Errors wrap those of ParseBatch, or ErrVersion.
func (v Versions) Recode(blob []byte, version uint8) ([]byte, error) {
	if !v.Has(version) {
		return nil, fmt.Errorf("encode a batch anew: %w %d", ErrVersion, version)
	}
	b, err := v.ParseBatch(blob)
	if err != nil {
		return nil, fmt.Errorf("encode a batch anew: %w", err)
	}
	d, err := b.Decoder()
	if err != nil {
		return nil, fmt.Errorf("encode a batch anew: %w", err)
	}
	var w SegmentWriter
	w.Reset(make([]byte, 0, b.size))
	for {
		var m Message
		more, err := d.Next(&m)
		if err != nil {
			return nil, fmt.Errorf("encode a batch anew: %w", err)
		}
		if !more {
			break
		}
		if err := w.Append(&m); err != nil {
			return nil, fmt.Errorf("encode a batch anew: %w", err)
		}
	}
	return sealBatch(nil, version, b.Head, [][]byte{w.Bytes()}, b.flags&batchSnappy != 0), nil
}

// SealBatch is SealBatch in the newest version of the range.
func (v Versions) SealBatch(dst []byte, h BatchHead, segments [][]byte, compress bool) []byte {
	return sealBatch(dst, v.Newest, h, segments, compress)
}
