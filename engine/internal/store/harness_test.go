package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"testing"
	"time"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
)

// The tests' codec: the head in JSON-less simplicity, the bodies one behind the other, and a checksum.
func sealPlain(h BatchHead, segments [][]byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, h.First)
	b = binary.BigEndian.AppendUint64(b, h.Last)
	b = binary.BigEndian.AppendUint64(b, h.Prev)
	b = append(b, h.Run[:]...)
	for _, s := range segments {
		b = append(b, s...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func checkPlain(b []byte) error {
	if len(b) < 44 || crc32.ChecksumIEEE(b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return errors.New("bad checksum")
	}
	return nil
}

func body(blob []byte) []byte { return blob[40 : len(blob)-4] }

func id(n int) (v ID) {
	binary.BigEndian.PutUint64(v[8:], uint64(n))
	return v
}

func plain(path string) Options {
	return Options{Path: path, NodeID: "node-1", Seal: sealPlain, Check: checkPlain}
}

func onDisk(d *crashvfs.Disk) Options {
	o := plain("/db")
	o.VFS, o.NoLock = d.Name(), true
	return o
}

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abort)
	return s
}

// newStore opens a store in memory and returns a function that closes it in order and opens it again.
func newStore(t testing.TB, change ...func(*Options)) (*Store, func() *Store) {
	d := crashvfs.New(1)
	o := onDisk(d)
	for _, f := range change {
		f(&o)
	}
	s := mustOpen(t, o)
	t.Cleanup(func() { s.Abort(); d.Close() })
	return s, func() *Store {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, o)
		return s
	}
}

func fileStore(t testing.TB, change ...func(*Options)) *Store {
	o := plain(filepath.Join(t.TempDir(), "sub", "db"))
	for _, f := range change {
		f(&o)
	}
	return mustOpen(t, o)
}

func do(t testing.TB, s *Store, tx Tx) {
	t.Helper()
	if err := s.Do(&tx); err != nil {
		t.Fatal(err)
	}
}

// messages makes a segment of n one-letter messages.
func messages(channel string, n int) Segment {
	return Segment{Channel: channel, Count: n, Body: bytes.Repeat([]byte("m"), n)}
}

func send(t testing.TB, s *Store, segments ...Segment) {
	t.Helper()
	do(t, s, Tx{Segments: segments})
}

func readAll(t testing.TB, s *Store, channel string, after uint64) []Batch {
	t.Helper()
	var all []Batch
	for {
		batches, err := s.Read(channel, after, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(batches) == 0 {
			return all
		}
		all = append(all, batches...)
		after = batches[len(batches)-1].Last
	}
}

func spans(batches []Batch) string {
	var b bytes.Buffer
	for i := range batches {
		fmt.Fprintf(&b, "%s:%d-%d<%d+%d ", batches[i].Channel, batches[i].First, batches[i].Last, batches[i].Prev, batches[i].Before)
	}
	return b.String()
}

func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(time.Millisecond) // a poll, bounded by the deadline
	}
}

// both runs a check on the store as it is, and on what another start reads back.
func both(s *Store, reopen func() *Store, check func(*Store)) *Store {
	check(s)
	s = reopen()
	check(s)
	return s
}
