package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

func newQueueList(s *shared) *cobra.Command {
	return newListCommand(s, "ls", "List what waits, by channel and reader", func(ctx context.Context, c *admin.Client) ([]admin.Queue, error) { return c.Queues(ctx) }, func(w io.Writer, queues []admin.Queue) {
		fmt.Fprint(w, "CHANNEL\tREADER\tPENDING\tOLDEST\tAGE\tSTATE\n")
		for _, q := range queues {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", q.Channel, reader(&q), q.Pending, orDash(sequence(q.Oldest)), age(q.OldestMs), state(&q))
		}
	})
}

func reader(q *admin.Queue) string {
	if q.Reader == "" {
		return "(nobody yet)"
	}
	return printable(q.Reader)
}

func state(q *admin.Queue) string {
	switch {
	case q.Reader == "":
		return "kept for whoever joins first"
	case q.Online:
		return "online"
	}
	return "offline"
}

// age is the time since, by wall clocks.
func age(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return max(time.Since(time.UnixMilli(ms)), 0).Round(time.Second).String()
}

func newQueueShow(s *shared) *cobra.Command {
	var output string
	var count int
	cmd := &cobra.Command{
		Use:   "show <channel> [reader]",
		Short: "Show the messages that wait, oldest first",
		Long: `Shows the messages that wait on a channel for a reader, oldest first; without a reader, those that are kept for whoever joins
first. Those that are expired or purged are left out.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			show, ok := shows[output]
			if !ok {
				return usage("--output %q is none of text, raw and json", output)
			}
			if count < 1 {
				return usage("--count %d is below one", count)
			}
			if err := channelName(args[0]); err != nil {
				return err
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			for after := uint64(0); count > 0; {
				page, err := client.Pending(cmd.Context(), args[0], append(args, "")[1], after, min(count, 100))
				if err != nil {
					return fmt.Errorf("show the queue: %w", err)
				}
				for _, e := range page.Messages {
					if err := show(out, e); err != nil {
						return err
					}
				}
				count -= len(page.Messages)
				if after = page.Next; after == 0 {
					break
				}
			}
			return out.Flush()
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, raw (the messages alone) or json")
	cmd.Flags().IntVarP(&count, "count", "n", 20, "show at most so many")
	return cmd
}
