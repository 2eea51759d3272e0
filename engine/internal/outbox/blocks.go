package outbox

import (
	"sync"
	"time"
)

// Large batches are read in blocks of blockSize. The newest maxBlocks stay in memory for a while: readers in step share them.
const (
	blockSize = 1 << 20
	maxBlocks = 12
	blockIdle = 10 * time.Second
)

// blocks reads pieces of large batches, over all streams.
type blocks struct {
	log Log
	now func() time.Duration

	mu   sync.Mutex
	list []*block // the one used last at the end
}

type block struct {
	first uint64 // of the batch
	at    uint64 // offset in its blob
	data  []byte
	used  time.Duration
}

// piece appends bytes of a batch's blob to dst: from offset to end, or to the end of the block that offset lies in.
func (c *blocks) piece(dst []byte, first uint64, size int, offset, end uint64) ([]byte, error) {
	at := offset - offset%blockSize
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.block(first, size, at)
	if err != nil {
		return dst, err
	}
	return append(dst, b.data[offset-at:min(end-at, uint64(len(b.data)))]...), nil
}

// block finds or reads a block; c.mu is held.
func (c *blocks) block(first uint64, size int, at uint64) (*block, error) {
	for i, b := range c.list {
		if b.first == first && b.at == at && len(b.data) > 0 {
			copy(c.list[i:], c.list[i+1:])
			c.list[len(c.list)-1] = b
			b.used = c.now()
			return b, nil
		}
	}
	b := &block{}
	if len(c.list) >= maxBlocks {
		b = c.list[0]
		c.list = append(c.list[:0], c.list[1:]...)
	}
	n := min(size-int(at), blockSize)
	if cap(b.data) < n {
		b.data = make([]byte, n, blockSize)
	}
	*b = block{first: first, at: at, data: b.data[:n], used: c.now()}
	if err := c.log.ReadBlob(first, int64(at), b.data); err != nil {
		return nil, err
	}
	c.list = append(c.list, b)
	return b, nil
}

// tidy frees what was not used for a while.
func (c *blocks) tidy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.list) && c.now()-c.list[n].used >= blockIdle {
		c.list[n] = nil
		n++
	}
	if c.list = c.list[n:]; len(c.list) == 0 {
		c.list = nil
	}
}
