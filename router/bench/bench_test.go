package bench

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/golang/snappy"
)

// TestSubjectsCarryEverythingInOrder runs a tiny matrix on every real subject. What a run accepts as right is checked in
// TestTallyRefuses.
func TestSubjectsCarryEverythingInOrder(t *testing.T) {
	dir := t.TempDir()
	plan := Plan{
		Subjects: Subjects(),
		Cases:    Matrix([]int{128, 1024}, []int{1, 3}, Modes, 100*time.Millisecond, dir),
		Runs:     1,
		Progress: t.Logf,
	}
	report, err := plan.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != 12 {
		t.Fatalf("%d rows, want 12", len(report.Rows))
	}
	for _, row := range report.Rows {
		for _, f := range row.Figures {
			if m := f.runs[0].Messages; m < 1 || f.PerSecond <= 0 {
				t.Errorf("%d B, %d receivers, %s: %s moved %d messages, %.0f/s", row.Size, row.Receivers, row.Mode, f.Subject, m, f.PerSecond)
			}
			if elapsed := f.runs[0].Elapsed; elapsed < 100*time.Millisecond {
				t.Errorf("%s: a run of 100 ms took %s", f.Subject, elapsed)
			}
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("the runs left %v behind (%v)", left, err)
	}
}

func TestRunEndsWhenCancelled(t *testing.T) {
	for _, s := range Subjects() {
		t.Run(s.Name(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := s.Run(ctx, Case{Size: 128, Receivers: 1, Mode: Batched, Duration: time.Hour, Dir: t.TempDir()})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("ended with %v", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s to end", took)
			}
		})
	}
}

func TestTallyRefuses(t *testing.T) {
	p, err := newPayload(128)
	if err != nil {
		t.Fatal(err)
	}
	changed := p.message(0, 1)
	changed[127] ^= 1
	for name, tc := range map[string]struct {
		messages [][]byte
		want     bool
	}{
		"order":            {[][]byte{p.message(0, 0), p.message(7, 0), p.message(0, 1), p.message(7, 1)}, true},
		"lost":             {[][]byte{p.message(0, 0), p.message(0, 2)}, false},
		"repeated":         {[][]byte{p.message(0, 0), p.message(0, 0)}, false},
		"swapped":          {[][]byte{p.message(0, 1), p.message(0, 0)}, false},
		"changed":          {[][]byte{p.message(0, 0), changed}, false},
		"of another size":  {[][]byte{p.message(0, 0)[:127]}, false},
		"not one of these": {[][]byte{make([]byte, 128)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			account := tally{payload: p}
			for _, m := range tc.messages {
				account.take(m)
			}
			if err := account.err(); (err == nil) != tc.want || (err != nil && !errors.Is(err, ErrDelivery)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPayloadCompressesInPart(t *testing.T) {
	p, err := newPayload(128)
	if err != nil {
		t.Fatal(err)
	}
	var batch []byte
	for n := range 500 {
		m := p.message(0, n)
		if len(m) != 128 {
			t.Fatalf("message of %d bytes", len(m))
		}
		batch = append(batch, m...)
	}
	share := float64(len(snappy.Encode(nil, batch))) / float64(len(batch))
	if share < 0.3 || share > 0.8 {
		t.Errorf("a batch compresses to %.2f of its size", share)
	}
}

// unreliable is a subject whose receiver misses every tenth message, or whose record never catches up.
type unreliable struct{ account *tally }

func (u unreliable) send(_ context.Context, data []byte) error {
	if n, _ := digits(data[numberAt : numberAt+numberSize]); n%10 != 9 {
		u.account.take(data)
	}
	return nil
}
func (u unreliable) queue(ctx context.Context, data []byte) error { return u.send(ctx, data) }
func (u unreliable) flush(context.Context) error                  { return nil }

func TestLoadFailsOnLoss(t *testing.T) {
	c := Case{Size: 128, Receivers: 1, Mode: Batched, Duration: 10 * time.Millisecond}
	p, tallies, err := newTallies(c)
	if err != nil {
		t.Fatal(err)
	}
	l := load{c: c, payload: p, receivers: tallies, sender: unreliable{tallies[0]}, recorded: func(context.Context, int) error { return nil }}
	if _, err := l.run(t.Context()); !errors.Is(err, ErrDelivery) {
		t.Errorf("got %v", err)
	}
}

func TestPlanRefusesNothing(t *testing.T) {
	some := Matrix([]int{128}, []int{1}, Modes, time.Second, "")
	for name, p := range map[string]Plan{
		"no runs":         {Subjects: Subjects(), Cases: some},
		"no cases":        {Subjects: Subjects(), Runs: 1},
		"no subjects":     {Cases: some, Runs: 1},
		"tiny messages":   {Subjects: Subjects(), Runs: 1, Cases: Matrix([]int{10}, []int{1}, Modes, time.Second, "")},
		"without readers": {Subjects: Subjects(), Runs: 1, Cases: Matrix([]int{128}, []int{0}, Modes, time.Second, "")},
	} {
		if _, err := p.Execute(t.Context()); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
