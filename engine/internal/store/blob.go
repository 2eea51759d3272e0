package store

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// zeros binds a blob of so many zero bytes, which take no memory, to be filled by writeBlob.
type zeros int

// blobStep is how much of a large batch is in SQLite's own memory at a time.
const blobStep = 256 << 10

// headRoom is more than a batch takes beside its body: a blob above LargeBatch and that is not read as a whole.
const headRoom = 256

// inMemory is the size of the largest blob that Read returns.
func (s *Store) inMemory() int {
	if s.opt.SealHead == nil {
		return math.MaxInt
	}
	return s.opt.LargeBatch + headRoom
}

// writeBlob fills the blob of a batch that was inserted in the same transaction.
func (c *conn) writeBlob(first uint64, parts [][]byte) error {
	return c.fillBlob("batches", int64(first), parts)
}

func (c *conn) fillBlob(table string, row int64, parts [][]byte) error {
	blob, err := c.raw.OpenBlob("main", table, "blob", row, true)
	if err != nil {
		return err
	}
	for _, p := range parts {
		for len(p) > 0 {
			n := min(len(p), blobStep)
			if _, err := blob.Write(p[:n]); err != nil {
				_ = blob.Close() // it repeats the error
				return err
			}
			p = p[n:]
		}
	}
	return blob.Close()
}

// ReadBlob fills p with the bytes of a batch's blob from offset on; the batch begins at the sequence first. The batch and the bytes have to
// be there: what was pruned meanwhile, or is damaged at rest, is an error.
func (s *Store) ReadBlob(first uint64, offset int64, p []byte) error {
	err := s.reading(func(db *conn) error {
		blob, err := db.raw.OpenBlob("main", "batches", "blob", int64(first), false)
		if err != nil {
			return err
		}
		_, err = blob.Seek(offset, io.SeekStart)
		for n := 0; err == nil && n < len(p); {
			var more int
			more, err = blob.Read(p[n:min(n+blobStep, len(p))])
			if n += more; n == len(p) && errors.Is(err, io.EOF) {
				err = nil
			}
		}
		return errors.Join(err, blob.Close())
	})
	if err != nil {
		return fmt.Errorf("read the batch at %d from %d: %w", first, offset, err)
	}
	return nil
}
