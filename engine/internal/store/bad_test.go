package store

import (
	"bytes"
	"testing"
)

// TestBadBatchesAreBounded: the newest are kept, and of the bytes what there is room for; a restart changes nothing.
func TestBadBatchesAreBounded(t *testing.T) {
	s, again := newStore(t, func(o *Options) {
		o.MaxSize = 64 << 20 // 4 MiB of them
		o.SealHead = func(h BatchHead, segments [][]byte) []byte { return sealPlain(h, segments) }
		o.LargeBatch = 1 << 20
	})
	put := func(seq uint64, size int) {
		t.Helper()
		b := BadBatch{Sender: id(1), Node: "alice", Channel: "a", Run: id(2), First: seq, Last: seq + 9, Found: 7, Cause: "a wrong checksum", Blob: bytes.Repeat([]byte{byte(seq)}, size)}
		if err := s.Do(&Tx{Progress: []Progress{{Sender: id(1), Channel: "a", Join: 1, Run: id(2), Seq: seq + 9, Bad: []BadBatch{b}}}}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(70) {
		put(10*n+1, 1000)
	}
	put(1001, 3<<20)
	put(1001, 3<<20) // once more
	put(1011, 5<<20) // more than there may be of all
	for range 2 {
		list, err := s.BadBatches()
		if err != nil || len(list) != maxBad {
			t.Fatal(len(list), err)
		}
		large, none := list[maxBad-2], list[maxBad-1]
		if large.First != 1001 || large.Last != 1010 || large.Size != 3<<20 || large.Sender != id(1) || large.Run != id(2) || large.Node != "alice" || large.Channel != "a" || large.Found != 7 || large.Cause == "" {
			t.Errorf("%+v", large)
		}
		if none.First != 1011 || none.Size != 0 || list[0].First != 10*8+1 || list[0].Size != 1000 {
			t.Errorf("%+v, %+v", none, list[0])
		}
		if blob, err := s.BadBlob(large.ID); err != nil || !bytes.Equal(blob, bytes.Repeat([]byte{1001 % 256}, 3<<20)) {
			t.Error(len(blob), err)
		}
		s = again()
	}
	put(1021, 3<<20)
	list, err := s.BadBatches()
	if err != nil || list[maxBad-1].Size != 3<<20 || list[maxBad-3].Size != 0 || list[0].Size != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
