package store

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkPrune tells what a lone sender of 128-byte messages waits for each commit: undisturbed, and while a million messages
// that were delivered before are pruned. An operation is the pruning of the million. It fails when one commit in a hundred takes longer than it may.
//
//	CGO_ENABLED=0 go test ./engine/internal/store -run '^$' -bench Prune -benchtime 1x
func BenchmarkPrune(b *testing.B) {
	for _, each := range []int{1, 500} {
		b.Run(fmt.Sprintf("%d-a-batch", each), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				pruneMillion(b, each)
			}
		})
	}
}

// What one commit in a hundred may take at most.
const (
	mostAlone   = 5 * time.Millisecond
	mostPruning = 50 * time.Millisecond
)

// tooBusy is how many times slower than it may be a commit alone may be before the machine is no place to measure.
const tooBusy = 4

// judge fails the benchmark when commits wait for the pruning longer than they may. On a machine that is busy, which commits alone show, they may wait longer
// by the same factor.
func judge(b *testing.B, alone, beside time.Duration) {
	b.Helper()
	slow := max(float64(alone)/float64(mostAlone), 1)
	if slow > tooBusy {
		b.Errorf("p99 of commits alone is %v, far above %v: the machine, or its disk, is busy with something else", alone, mostAlone)
	}
	if most := time.Duration(float64(mostPruning) * slow); beside > most {
		b.Errorf("p99 of commits beside the pruning is %v, above %v; alone it is %v", beside, most, alone)
	}
}

func pruneMillion(b *testing.B, each int) {
	const million = 1_000_000
	s := fileStore(b, func(o *Options) { o.BatchMessages = each })
	fillLog(b, s, million, each)
	keep := AddReader{Store: id(1), Node: "n", Channel: "new", Join: 1}
	change(b, s, ReaderChange{Add: &keep})
	alone := latencies(b, s, func(n int) bool { return n >= 2000 })
	done := make(chan error, 1)
	b.StartTimer()
	go func() {
		_, err := s.Prune(million/each, s.Now())
		done <- err
	}()
	over := false
	beside := latencies(b, s, func(int) bool {
		select {
		case err := <-done:
			if over = true; err != nil {
				b.Error(err)
			}
			b.StopTimer()
		default:
		}
		return over
	})
	for name, l := range map[string][]time.Duration{"alone": alone, "pruning": beside} {
		slices.Sort(l)
		for p, at := range map[string]float64{"p50": 0.5, "p99": 0.99, "max": 1} {
			b.ReportMetric(l[int(float64(len(l)-1)*at)].Seconds()*1000, p+"-"+name+"-ms")
		}
	}
	b.ReportMetric(float64(len(beside)), "commits-beside")
	judge(b, alone[(len(alone)-1)*99/100], beside[(len(beside)-1)*99/100])
	if h, _ := s.Head("old"); h.Floor < million {
		b.Fatalf("pruned up to %d", h.Floor)
	}
}

// BenchmarkOpen opens a database, by turns empty and with a million messages pending: what it costs must not grow with the backlog.
// Each time the database is as a crash left it, so what differs is how much the write-ahead log holds, which has a bound.
//
//	CGO_ENABLED=0 go test ./engine/internal/store -run '^$' -bench Open -benchtime 20x
func BenchmarkOpen(b *testing.B) {
	for name, log := range map[string]struct{ messages, each int }{"empty": {0, 1}, "1-a-batch": {1_000_000, 1}, "500-a-batch": {1_000_000, 500}} {
		b.Run(name, func(b *testing.B) {
			s := fileStore(b, func(o *Options) { o.BatchMessages = log.each })
			keep := AddReader{Store: id(1), Node: "n", Channel: "old", Join: 1}
			change(b, s, ReaderChange{Add: &keep})
			fillLog(b, s, log.messages, log.each)
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				s.Abort()
				b.StartTimer()
				s = mustOpen(b, s.opt)
			}
		})
	}
}

// fillLog stores n messages of 128 bytes on channel old, each so many in a batch; nobody reads them.
func fillLog(b testing.TB, s *Store, n, each int) {
	b.Helper()
	body := make([]byte, each*128)
	for i := range body {
		body[i] = byte(i * i)
	}
	for n > 0 {
		tx := Tx{}
		for size := 0; n > 0 && size < 1<<20; size += len(body) {
			tx.Segments = append(tx.Segments, Segment{Channel: "old", Count: each, Body: body})
			n -= each
		}
		do(b, s, tx)
	}
}

// latencies measures commits of one message, one after the other, until enough.
func latencies(b *testing.B, s *Store, enough func(n int) bool) (l []time.Duration) {
	body := make([]byte, 128)
	for !enough(len(l)) {
		start := time.Now()
		do(b, s, Tx{Segments: []Segment{{Channel: "new", Count: 1, Body: body}}})
		l = append(l, time.Since(start))
	}
	return l
}
