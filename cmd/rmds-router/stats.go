package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

func newStatsCommand(s *shared) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show the state and the accounts of a running router",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := tableOrJSON(output); err != nil {
				return err
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
			defer cancel()
			status, err := client.Status(ctx)
			if err != nil {
				return err
			}
			if output == "json" {
				return indented(cmd.OutOrStdout(), status)
			}
			return printStats(cmd.OutOrStdout(), status)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func printStats(w io.Writer, s *admin.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	connected := "not connected"
	if s.NATS.Connected {
		connected = "connected"
	}
	fmt.Fprintf(t, "node\t%s\nversion\t%s\nuptime\t%s\ndatabase\t%s\nNATS\t%s (%s)\n", s.Node, s.Version, seconds(s.UptimeS), s.Storage, s.NATS.URL, connected)
	if s.Conflict != "" {
		fmt.Fprintf(t, "STOPPED\t%s\n", s.Conflict)
	}
	if trouble := s.StorageTrouble; trouble != nil {
		fmt.Fprintf(t, "STORAGE\ttakes no messages, for %s now: %s\n", seconds(trouble.ForS), printable(trouble.Detail))
	}
	if len(s.Channels) > 0 {
		fmt.Fprint(t, "\nCHANNEL\tMODE\tCONSUMER\tSTATE\n")
		for _, c := range s.Channels {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.Name, c.Mode, orDash(c.Consumer), orDash(c.State))
		}
	}
	printSuspended(t, s)
	printAccounts(t, s.Accounts)
	if len(s.Inbound) > 0 {
		fmt.Fprint(t, "\nRECEIVED ON\tFROM\tPOSITION\tHANDLED\tDEAD\n")
		for _, i := range s.Inbound {
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\n", i.Channel, i.Sender, i.Position, i.Handled, i.Dead)
		}
	}
	if len(s.Inputs) > 0 {
		fmt.Fprint(t, "\nINPUT\tTYPE\tSENDS ON\tREJECTED\n")
		for _, i := range s.Inputs {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\n", i.Name, i.Type, i.Channel, i.Rejected)
		}
	}
	printPlugins(t, s.Plugins)
	fmt.Fprint(t, "\nSTATISTIC\tVALUE\n")
	for _, name := range slices.Sorted(maps.Keys(s.Statistic)) {
		fmt.Fprintf(t, "%s\t%d\n", name, s.Statistic[name])
	}
	return t.Flush()
}

// printSuspended shows what rests alone, why, and the way out.
func printSuspended(t io.Writer, s *admin.Status) {
	if len(s.Suspended) > 0 {
		fmt.Fprint(t, "\nSUSPENDED\tREADER\tFOR\tREASON\n")
		for _, one := range s.Suspended {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", one.Channel, printable(one.Reader), seconds(one.ForS), printable(one.Reason))
		}
	}
	if len(s.Denied) > 0 {
		fmt.Fprint(t, "\nDENIED BY NATS\tFOR\tWAY OUT\n")
		for _, one := range s.Denied {
			fmt.Fprintf(t, "%s\t%s\t%s\n", printable(one.Subject), seconds(one.ForS), printable(one.Fix))
		}
	}
}

// seconds is a time in whole seconds.
func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// printAccounts shows what became of every message sent, and whether that is all of them.
func printAccounts(t io.Writer, accounts []admin.Account) {
	if len(accounts) == 0 {
		return
	}
	fmt.Fprint(t, "\nSENT ON\tREADER\tACCEPTED\tHANDLED\tDEAD\tEXPIRED\tPURGED\tOVERFLOW\tREMOVED\tCORRUPT\tPRUNED\tPENDING\tBALANCE\n")
	for _, a := range accounts {
		balance, reader := "ok", a.Reader
		if !a.Balanced() {
			balance = "WRONG"
		}
		if a.Ended {
			reader += " (left)"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", a.Channel, reader, a.Accepted, a.Handled, a.Dead, a.Expired, a.Purged, a.Overflow, a.Removed, a.Corrupt, a.Pruned, a.Pending, balance)
	}
}

func printPlugins(t io.Writer, plugins []admin.Plugin) {
	if len(plugins) == 0 {
		return
	}
	fmt.Fprint(t, "\nPLUGIN\tCALLS\tFAULTS\tVERDICTS\tOWN COUNTS\tSTATE\n")
	for _, p := range plugins {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\n", p.Name, p.Calls, p.Faults, counts(p.Verdicts), counts(p.Custom), printable(p.State))
	}
}

// counts lists what is not zero.
func counts(m map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if m[name] != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", printable(name), m[name]))
		}
	}
	return orDash(strings.Join(parts, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
