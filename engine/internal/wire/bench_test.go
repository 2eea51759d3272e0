package wire

import (
	"encoding/binary"
	"strings"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	m := Message{Engine: 5, Wall: 6, TTL: 86400000, Data: make([]byte, 128)}
	buf := make([]byte, 0, 256<<10)
	var w SegmentWriter
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%1024 == 0 {
			w.Reset(buf)
		}
		m.Engine++
		if err := w.Append(&m); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkBody() []byte {
	text := []byte(strings.Repeat(`{"sensor":"t-17","value":21.5,"unit":"C"} `, 4))[:128]
	var w SegmentWriter
	for i := range 512 {
		binary.BigEndian.PutUint32(text[10:], uint32(i*7919))
		_ = w.Append(&Message{Engine: int64(i / 8), Wall: 6, TTL: 86400000, Data: text})
	}
	return w.Bytes()
}

func BenchmarkSeal(b *testing.B) {
	body := benchmarkBody()
	var dst []byte
	for b.Loop() {
		dst = SealBatch(dst[:0], BatchHead{Channel: "c", First: 1, Last: 512}, [][]byte{body}, true)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/msg")
}

func BenchmarkDecode(b *testing.B) {
	for _, compress := range []bool{false, true} {
		name := "plain"
		if compress {
			name = "snappy"
		}
		b.Run(name, func(b *testing.B) {
			blob := SealBatch(nil, BatchHead{Channel: "c", First: 1, Last: 512}, [][]byte{benchmarkBody()}, compress)
			var m Message
			for b.Loop() {
				batch, err := ParseBatch(blob)
				if err != nil {
					b.Fatal(err)
				}
				d, _ := batch.Decoder()
				for ok := true; ok && err == nil; {
					ok, err = d.Next(&m)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/msg")
		})
	}
}
