package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

// answerWithin bounds a listing.
const answerWithin = 10 * time.Second

// newListCommand makes a command that lists something of a running router, as a table or as JSON.
func newListCommand[T any](s *shared, use, short string, get func(context.Context, *admin.Client) (T, error), table func(io.Writer, T)) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := tableOrJSON(output); err != nil {
				return err
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), answerWithin)
			defer cancel()
			list, err := get(ctx, client)
			if err != nil {
				return err
			}
			if output == "json" {
				return indented(cmd.OutOrStdout(), list)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			table(t, list)
			return t.Flush()
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func newNodesCommand(s *shared) *cobra.Command {
	return newListCommand(s, "nodes", "List the nodes of the network", func(ctx context.Context, c *admin.Client) ([]admin.Node, error) { return c.Nodes(ctx) }, func(w io.Writer, nodes []admin.Node) {
		fmt.Fprint(w, "NODE\tSTATE\tHEARD\tUPTIME\tVERSION\tCHANNELS\n")
		for _, n := range nodes {
			state, heard := "offline", (time.Duration(n.LastSeenS)*time.Second).String()+" ago"
			if n.Online {
				state = "online"
			}
			if n.Self {
				heard = "this node"
			}
			var roles []string
			for _, r := range n.Channels {
				roles = append(roles, r.Channel+" ("+r.Mode+")")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", n.ID, state, heard, time.Duration(n.UptimeS)*time.Second, printable(n.Version), orDash(strings.Join(roles, ", ")))
		}
	})
}

func newTopologyCommand(s *shared) *cobra.Command {
	get := func(ctx context.Context, c *admin.Client) (admin.Topology, error) {
		nodes, err := c.Nodes(ctx)
		return admin.Topology{Nodes: nodes, Links: admin.Links(nodes)}, err
	}
	return newListCommand(s, "topology", "Show who sends to whom", get, func(w io.Writer, t admin.Topology) {
		fmt.Fprint(w, "CHANNEL\tFROM\tTO\tSTATE\n")
		for _, l := range t.Links {
			state := "waiting"
			if l.Open {
				state = "open"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Channel, l.Writer, l.Reader, state)
		}
	})
}

func newChannelsCommand(s *shared) *cobra.Command {
	get := func(ctx context.Context, c *admin.Client) ([]admin.NetworkChannel, error) {
		nodes, err := c.Nodes(ctx)
		return admin.ChannelsOf(nodes), err
	}
	return newListCommand(s, "channels", "List the channels of the network", get, func(w io.Writer, list []admin.NetworkChannel) {
		fmt.Fprint(w, "CHANNEL\tWRITERS\tREADERS\n")
		for _, c := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, orDash(strings.Join(c.Writers, ", ")), orDash(strings.Join(c.Readers, ", ")))
		}
	})
}

func newAuditCommand(s *shared) *cobra.Command {
	cmd := newListCommand(s, "audit", "List the orders that this node gave or obeyed", func(ctx context.Context, c *admin.Client) ([]admin.AuditRecord, error) { return c.Audit(ctx) }, func(w io.Writer, list []admin.AuditRecord) {
		fmt.Fprint(w, "TIME\tBY\tORDER\tOUTCOME\n")
		for _, a := range list {
			outcome := a.Outcome
			if !a.Over {
				outcome = "under way: " + outcome
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", time.UnixMilli(a.TimeMs).Format(time.DateTime), printable(a.By), printable(a.Action), printable(outcome))
		}
	})
	cmd.Long = "Lists the newest 1,000 orders (kick, purge, replay) that this node gave or obeyed, newest first, and what came of them."
	return cmd
}
