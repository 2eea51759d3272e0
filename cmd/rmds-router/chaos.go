package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/chaos"
)

type chaosFlags struct {
	duration time.Duration
	seed     uint64
	dir      string
	output   string
}

// newChaosCommand returns `rmds-router chaos`. It needs no configuration and no running router.
func newChaosCommand() *cobra.Command {
	var f chaosFlags
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Hurt a network of routers on this machine and check that nothing is lost",
		Long: `Starts a small network on this machine, of processes of this very program: a NATS server, a writer, and two readers with
a plugin each. It sends numbered messages all the time and does harm: it kills processes with SIGKILL and starts them
again, takes NATS away, pauses processes, and makes storages so small that they are full. Then it lets everything run,
waits until nothing is pending, and prints the ledger: what was accepted and handled on each channel for each reader,
how often what was done, and how often a message was lost, came out of order, or had its effects twice, which should
be never. The exit code is 0 if every promise was kept and 1 if one was broken; logs and databases are then kept.

Ctrl-C ends the harm early, waits up to 20 seconds for what is pending, and prints the ledger so far; a second one does not
wait. It listens only on this machine, and nothing is left running. An hour takes about two gigabytes of disk.

  rmds-router chaos
  rmds-router chaos --for 8h --dir ./chaos`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.DurationVar(&f.duration, "for", time.Minute, "how long to do harm")
	flags.Uint64Var(&f.seed, "seed", 0, "what decides about the harm, as printed by an earlier run (default: at random)")
	flags.StringVar(&f.dir, "dir", "", "an empty folder for logs and databases, which are kept; its disk is what is tested (default: a temporary one, removed if all is well)")
	flags.StringVarP(&f.output, "output", "o", "table", "table or json")
	return cmd
}

func (f *chaosFlags) run(cmd *cobra.Command) error {
	if err := tableOrJSON(f.output); err != nil {
		return err
	}
	if f.duration <= 0 {
		return usage("--for %s is not a time above zero", f.duration)
	}
	if !cmd.Flags().Changed("seed") {
		f.seed = rand.Uint64() >> 32
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "Doing harm to a network of routers for %s, with seed %d. Ctrl-C ends it early.\n", f.duration, f.seed)
	abort, stop := afterSecondSignal(cmd.Context())
	defer stop()
	report, err := chaos.Run(cmd.Context(), abort, chaos.Options{Binary: binary, For: f.duration, Seed: f.seed, Dir: f.dir,
		Note: func(line string) { fmt.Fprintln(out, line) }})
	if errors.Is(err, chaos.ErrFolder) {
		return usage("--dir: %v", err)
	}
	if report == nil {
		return err
	}
	write := report.WriteTable
	if f.output == "json" {
		write = report.WriteJSON
	}
	return errors.Join(err, write(cmd.OutOrStdout()))
}

// afterSecondSignal returns a context that ends with the next signal after ctx has ended, and what releases it.
func afterSecondSignal(ctx context.Context) (abort context.Context, stop func()) {
	abort, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-abort.Done():
			return
		}
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(again)
		select {
		case <-again:
			cancel()
		case <-abort.Done():
		}
	}()
	return abort, func() {
		cancel()
		<-ended
	}
}
