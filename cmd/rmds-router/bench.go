package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/bench"
)

// benchFlags are what the command line can ask of a measurement.
type benchFlags struct {
	duration  time.Duration
	runs      int
	quick     bool
	sizes     []int
	receivers []int
	modes     []string
	dir       string
	output    string
}

// newBenchCommand returns `rmds-router bench`. It needs no configuration and no running router.
func newBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure throughput beside JetStream on this machine",
		Long: `Measures messages a second from end to end: accepted, delivered, handled in order by every receiver, acknowledged,
durable at both ends. JetStream (one replica, in a file) does the same work in the same process, turn by turn: as it
comes, where a power cut loses what was accepted in the last two minutes, and with SyncAlways, where it loses nothing,
as here. The ratios say more than the figures, which depend on the disk.

The whole matrix takes about five minutes, with --quick less than one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.DurationVar(&f.duration, "duration", 2*time.Second, "how long each run sends")
	flags.IntVar(&f.runs, "runs", 3, "runs of each case; the median counts")
	flags.BoolVar(&f.quick, "quick", false, "one run of half a second for each case, unless --runs or --duration say otherwise")
	flags.IntSliceVar(&f.sizes, "size", []int{128, 1024}, "bytes of a message")
	flags.IntSliceVar(&f.receivers, "receivers", []int{1, 3}, "how many nodes get every message")
	flags.StringSliceVar(&f.modes, "mode", modeNames(), "how the sender sends")
	flags.StringVar(&f.dir, "dir", bench.DefaultDir(), "folder for the databases of the measurement, removed afterwards; its disk is what is measured")
	flags.StringVarP(&f.output, "output", "o", "table", "table or json")
	return cmd
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	if err := tableOrJSON(f.output); err != nil {
		return err
	}
	modes, err := parseModes(f.modes)
	if err != nil {
		return err
	}
	if f.quick && !cmd.Flags().Changed("runs") {
		f.runs = 1
	}
	if f.quick && !cmd.Flags().Changed("duration") {
		f.duration = 500 * time.Millisecond
	}
	plan := bench.Plan{
		Subjects: bench.Subjects(),
		Cases:    bench.Matrix(f.sizes, f.receivers, modes, f.duration, f.dir),
		Runs:     f.runs,
		Progress: func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) },
	}
	report, err := plan.Execute(cmd.Context())
	if err != nil {
		return err
	}
	if f.output == "json" {
		return report.WriteJSON(cmd.OutOrStdout())
	}
	return report.WriteTable(cmd.OutOrStdout())
}

func modeNames() []string {
	var names []string
	for _, m := range bench.Modes {
		names = append(names, string(m))
	}
	return names
}

func parseModes(names []string) ([]bench.Mode, error) {
	var modes []bench.Mode
	for _, name := range names {
		mode, err := bench.ParseMode(name)
		if err != nil {
			return nil, usage("--mode: %v", err)
		}
		modes = append(modes, mode)
	}
	return modes, nil
}
