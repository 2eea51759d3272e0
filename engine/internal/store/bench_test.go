package store

import (
	"sync"
	"testing"
)

// BenchmarkAppend is a sender of 128-byte messages that keeps the writer busy; an operation is a message.
func BenchmarkAppend(b *testing.B) {
	const each, segments, ahead = 500, 16, 8
	s := fileStore(b)
	body := make([]byte, each*128)
	b.SetBytes(128)
	b.ReportAllocs()
	done := make(chan error, ahead)
	for range ahead {
		done <- nil
	}
	for i := 0; i < b.N; i += each * segments {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		tx := &Tx{Done: func(err error) { done <- err }}
		for range segments {
			tx.Segments = append(tx.Segments, Segment{Channel: "bench", Count: each, Body: body})
		}
		s.Submit(tx)
	}
	for range ahead {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBlocking is senders that wait for each message to be durable.
func BenchmarkBlocking(b *testing.B) {
	for name, senders := range map[string]int{"1": 1, "64": 64} {
		b.Run(name, func(b *testing.B) {
			s := fileStore(b)
			body := make([]byte, 128)
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for i := range senders {
				group.Go(func() {
					for range (b.N + senders - 1 - i) / senders {
						if err := s.Do(&Tx{Segments: []Segment{{Channel: "bench", Count: 1, Body: body}}}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// BenchmarkPosition is one lane that commits each position on its own.
func BenchmarkPosition(b *testing.B) {
	s := fileStore(b)
	for i := range b.N {
		do(b, s, Tx{Progress: []Progress{at(id(1), uint64(i+1), uint64(i+1))}})
	}
}
