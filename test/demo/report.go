package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/test/internal/node"
)

// report prints the accounts and what became of the promises. It fails if one was broken.
func report(out io.Writer, f *facts, want *expectation, took, flow time.Duration) error {
	accounts(out, f)
	averages(out, f.lines)
	broken := 0
	fmt.Fprintln(out)
	for _, p := range promises(f, want) {
		if p.err == nil {
			fmt.Fprintln(out, "  ✓", p.text)
			continue
		}
		broken++
		fmt.Fprintf(out, "  ✗ %s\n      %s\n", p.text, strings.ReplaceAll(p.err.Error(), "\n", "\n      "))
	}
	lines, _ := node.Account(f.edge, linesChannel, hubName)
	telemetry, _ := node.Account(f.edge, telemetryChannel, hubName)
	alerts, _ := node.Account(f.hub, alertsChannel, hubName)
	messages := lines.Handled + telemetry.Handled + alerts.Handled
	fmt.Fprintf(out, "\n%d messages handled in %.1f s, kills and restarts included: %.0f a second; %.1f s in all.\n",
		messages, flow.Seconds(), float64(messages)/flow.Seconds(), took.Seconds())
	if broken > 0 {
		return fmt.Errorf("%w: see %d ✗ above", errBroken, broken)
	}
	return nil
}

// accounts prints what became of every channel's messages for every reader.
func accounts(out io.Writer, f *facts) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "from\tchannel\treader\taccepted\thandled\tdead\texpired\tpurged\toverflow\tremoved\tcorrupt\tpruned\tpending\tbalanced\t")
	for _, s := range []*admin.Status{f.edge, f.hub} {
		for _, a := range s.Accounts {
			balanced := "yes"
			if !a.Balanced() {
				balanced = "NO"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", s.Node, a.Channel, a.Reader, a.Accepted, a.Handled, a.Dead,
				a.Expired, a.Purged, a.Overflow, a.Removed, a.Corrupt, a.Pruned, a.Pending, balanced)
		}
	}
	w.Flush()
}

// averages shows the folders with the most lines, as a taste of what the hub keeps.
func averages(out io.Writer, keys map[string]int64) {
	var folders []string
	for key := range keys {
		if folder, ok := strings.CutPrefix(key, "lines/"); ok {
			folders = append(folders, folder)
		}
	}
	slices.SortFunc(folders, func(a, b string) int { return int(keys["lines/"+b] - keys["lines/"+a]) })
	fmt.Fprintf(out, "\nThe hub counted the lines of %d folders. The largest:", len(folders))
	for i, folder := range folders[:min(3, len(folders))] {
		fmt.Fprintf(out, "%s %s %d (%d bytes a line)", []string{"", ",", ","}[i], folder, keys["lines/"+folder], keys["lines_avg/"+folder])
	}
	fmt.Fprintln(out)
}
