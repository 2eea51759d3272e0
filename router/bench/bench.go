// Package bench measures the engine's throughput beside JetStream's, in the same process on the same disk, turn by turn.
//
// A message counts when it was accepted by the sender's end, delivered, handled in order by every receiver, acknowledged, and
// the sender's end has that on record. A run sends for a set time and ends when the last message counts, so what was merely
// queued earns nothing. Absolute figures say as much about the disk as about the programs: compare the ratios.
package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Mode is how the sender sends.
type Mode string

// The modes of a case.
const (
	Blocking   Mode = "blocking"   // one goroutine, each send waits until it is accepted
	Blocking64 Mode = "blocking64" // 64 goroutines, each send waits until it is accepted
	Batched    Mode = "batched"    // one goroutine that does not wait between sends
)

// Modes lists all modes in the order in which they are run.
var Modes = []Mode{Blocking, Blocking64, Batched}

// ParseMode returns the mode of that name.
func ParseMode(name string) (Mode, error) {
	if m := Mode(name); slices.Contains(Modes, m) {
		return m, nil
	}
	return "", fmt.Errorf("%w: no mode %q; there are %q", ErrPlan, name, Modes)
}

func (m Mode) writers() int {
	if m == Blocking64 {
		return 64
	}
	return 1
}

// Case is one situation to measure.
type Case struct {
	Size      int           // bytes of a message, at least MinSize
	Receivers int           // each gets every message
	Mode      Mode          //
	Duration  time.Duration // how long the sender sends
	Dir       string        // an existing folder for the databases; a run makes its own in it and removes it
}

func (c Case) String() string {
	return fmt.Sprintf("%s, %s, %s", sizeName(c.Size), receiversName(c.Receivers), c.Mode)
}

// Result is one run of a case.
type Result struct {
	Messages int           // sent; every receiver handled each of them
	Elapsed  time.Duration // from the first send until everything was on record
	CPU      time.Duration // of the whole process in that time, sender, server and receivers together; 0 where unknown
}

// PerSecond returns messages a second.
func (r Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Messages) / r.Elapsed.Seconds()
}

// CPUPerMessage returns microseconds of processor time a message.
func (r Result) CPUPerMessage() float64 {
	if r.Messages == 0 {
		return 0
	}
	return float64(r.CPU.Nanoseconds()) / 1e3 / float64(r.Messages)
}

// Subject is something that carries messages from a sender to receivers.
type Subject interface {
	// Name is what the report calls it; it must be unique among the subjects of a plan.
	Name() string
	// Run measures the case once, from a fresh start, and leaves nothing behind. It fails if a message was lost,
	// repeated, changed or handled out of order.
	Run(ctx context.Context, c Case) (Result, error)
}

// Plan is what to measure. The first subject is the one that the others are compared with.
type Plan struct {
	Subjects []Subject
	Cases    []Case
	Runs     int                              // of each case by each subject; the report has medians
	Progress func(format string, args ...any) // may be nil
}

// Execute runs the plan: the subjects take turns in every run, so that a slow phase of the machine meets them all.
// The first error ends it.
func (p Plan) Execute(ctx context.Context) (*Report, error) {
	if p.Runs < 1 || len(p.Subjects) == 0 || len(p.Cases) == 0 {
		return nil, fmt.Errorf("%w: %d subjects, %d cases, %d runs", ErrPlan, len(p.Subjects), len(p.Cases), p.Runs)
	}
	report := &Report{Runs: p.Runs}
	for i, c := range p.Cases {
		row := newRow(c, p.Subjects)
		for run := range p.Runs {
			for n, s := range p.Subjects {
				result, err := s.Run(ctx, c)
				if err != nil {
					return nil, fmt.Errorf("%s (%s): %w", s.Name(), c, err)
				}
				row.add(n, result)
				p.progress("%d/%d  %s  run %d  %s: %.0f messages/s", i+1, len(p.Cases), c, run+1, s.Name(), result.PerSecond())
			}
		}
		row.finish()
		report.Rows = append(report.Rows, row)
	}
	return report, nil
}

func (p Plan) progress(format string, args ...any) {
	if p.Progress != nil {
		p.Progress(format, args...)
	}
}

// Matrix returns a case for each combination, sizes outermost.
func Matrix(sizes, receivers []int, modes []Mode, duration time.Duration, dir string) []Case {
	var cases []Case
	for _, size := range sizes {
		for _, n := range receivers {
			for _, mode := range modes {
				cases = append(cases, Case{Size: size, Receivers: n, Mode: mode, Duration: duration, Dir: dir})
			}
		}
	}
	return cases
}

func sizeName(bytes int) string {
	if bytes >= 1024 && bytes%1024 == 0 {
		return fmt.Sprintf("%d KiB", bytes/1024)
	}
	return fmt.Sprintf("%d B", bytes)
}

func receiversName(n int) string {
	if n == 1 {
		return "1 receiver"
	}
	return fmt.Sprintf("%d receivers", n)
}
