// Command demo shows what RMDS Router promises, on real processes and real data, and fails if a promise is broken.
//
// An edge router reads this machine's telemetry and a growing file made of the Go distribution's sources. A C plugin redacts
// the lines, a Go plugin on the hub router counts and averages them and raises alerts. While that runs, the hub is killed three times
// and the edge, with the NATS server inside it, once, each time with at least a thousand messages unacknowledged. At the end
// everything is recomputed from the file and compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const minLines = 100_000

// settings are the command's flags.
type settings struct {
	root      string
	binary    string
	aggregate string
	lines     int
	seed      uint64
	limit     time.Duration
	keep      bool
}

func main() {
	s := settings{}
	flag.StringVar(&s.root, "root", ".", "the repository's folder")
	flag.StringVar(&s.binary, "binary", "bin/rmds-router", "the router, in the repository's folder")
	flag.StringVar(&s.aggregate, "aggregate", "bin/plugins/aggregate.wasm", "the hub's plugin, in the repository's folder")
	flag.IntVar(&s.lines, "lines", 225_000, "lines of source to send, at least 100000")
	flag.Uint64Var(&s.seed, "seed", 0, "decides when to kill; 0 draws one")
	flag.DurationVar(&s.limit, "limit", 58*time.Second, "fail if it takes longer")
	flag.BoolVar(&s.keep, "keep", false, "keep the work folder")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// errBroken means that the system did not keep a promise. Which one has been printed.
var errBroken = errors.New("a promise was broken")

func run(s settings) (err error) {
	if err := s.complete(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "rmds-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil || s.keep {
			fmt.Println("Logs, databases and files are in", work)
			return
		}
		err = os.RemoveAll(work)
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("not finished within %s", s.limit))
	defer cancel()
	return play(ctx, s, work, os.Stdout)
}

// complete makes the paths absolute and draws the seed.
func (s *settings) complete() error {
	root, err := filepath.Abs(s.root)
	if err != nil {
		return err
	}
	s.root = root
	for _, path := range []*string{&s.binary, &s.aggregate} {
		if !filepath.IsAbs(*path) {
			*path = filepath.Join(root, *path)
		}
		if _, err := os.Stat(*path); err != nil {
			return fmt.Errorf("%w: run \"make demo\" in the repository's folder, which builds it", err)
		}
	}
	if s.lines < minLines {
		return fmt.Errorf("-lines %d: give it %d or more, or there is too little to interrupt", s.lines, minLines)
	}
	for s.seed == 0 {
		s.seed = rand.Uint64() >> 32
	}
	return nil
}

// play is the demonstration.
func play(ctx context.Context, s settings, work string, out io.Writer) error {
	begun := time.Now()
	fmt.Fprintf(out, "RMDS Router demo, seed %d\n", s.seed)
	source, err := gather(ctx, s.lines)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  source   %d lines of %s, %.1f MB, each tagged with its file and line\n", source.count(), source.folder, float64(source.size)/1e6)
	c, err := newCluster(s, work)
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Fprintf(out, "  edge     telemetry and the growing file, through a C filter; NATS inside, at %s\n", c.nats)
	fmt.Fprintf(out, "  hub      a Go handler counts, averages and raises alerts, which go to a file\n\n")
	started := time.Now()
	kills, err := drive(ctx, s, c, source, newScreen(out))
	if err != nil {
		return cause(ctx, err)
	}
	flow := time.Since(started)
	f, err := c.facts(ctx)
	if err != nil {
		return cause(ctx, err)
	}
	f.kills = kills
	want, err := recompute(c.lines)
	if err != nil {
		return err
	}
	return report(out, f, want, time.Since(begun), flow)
}

// cause says why ctx ended, if that is what err comes from.
func cause(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}
