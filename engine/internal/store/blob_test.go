package store

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestLargeBatchIsReadInParts: a batch above the limit is written and read without ever being whole, and is the same after a restart.
func TestLargeBatchIsReadInParts(t *testing.T) {
	const size = 3<<20 + 17
	head := []byte("the head of a batch")
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(body)
	want := append(append([]byte{}, head...), body...)
	s, reopen := newStore(t, func(o *Options) {
		o.SealHead = func(BatchHead, [][]byte) []byte { return head }
		o.Seal = func(h BatchHead, segments [][]byte) []byte {
			if len(segments[0]) > DefaultLargeBatch {
				t.Error("a large batch was sealed as a whole")
			}
			return sealPlain(h, segments)
		}
	})
	send(t, s, messages("c", 3))
	send(t, s, Segment{Channel: "c", Count: 2, Body: body})
	send(t, s, messages("c", 1))
	both(s, reopen, func(s *Store) {
		batches := readAll(t, s, "c", 0)
		if len(batches) != 3 || batches[1].Blob != nil || batches[1].Size != len(want) || batches[2].Blob == nil || batches[2].Size != len(batches[2].Blob) {
			t.Fatalf("batches %s", spans(batches))
		}
		if used, err := s.Usage(); err != nil || used.Tail > 1<<20 {
			t.Errorf("%d bytes in memory, %v", used.Tail, err)
		}
		for _, r := range [][2]int{{0, len(want)}, {0, 1}, {len(head) - 1, 5}, {1 << 20, 1 << 20}, {len(want) - 1, 1}} {
			got := make([]byte, r[1])
			if err := s.ReadBlob(batches[1].First, int64(r[0]), got); err != nil || !bytes.Equal(got, want[r[0]:r[0]+r[1]]) {
				t.Errorf("%d bytes at %d differ from what was written, or %v", r[1], r[0], err)
			}
		}
		if err := s.ReadBlob(batches[1].First, int64(len(want)-1), make([]byte, 2)); err == nil {
			t.Error("bytes behind the end were read")
		}
		if err := s.ReadBlob(99, 0, make([]byte, 1)); err == nil {
			t.Error("a batch that is not there was read")
		}
	})
}
