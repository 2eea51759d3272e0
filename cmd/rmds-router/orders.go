package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

// orderWithin bounds an order, which waits for other nodes and for the disk.
const orderWithin = 10 * time.Minute

func newKickCommand(s *shared) *cobra.Command {
	var channels []string
	var yes bool
	cmd := &cobra.Command{
		Use:   "kick <node>",
		Short: "End a node's joins",
		Long: `Ends a node's joins, to the channels named or to all: here, at the node, and at every other node. What waits for it is removed, and
it gets nothing more until its operator joins it anew, which a restart of its router does. A node that is offline obeys when it returns.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := nodeName(args[0]); err != nil {
				return err
			}
			what := "every channel"
			for _, c := range channels {
				if err := channelName(c); err != nil {
					return err
				}
				what = strings.Join(channels, ", ")
			}
			return s.order(cmd, yes, fmt.Sprintf("End the joins of %s to %s? What waits for it is removed.", args[0], what), func(ctx context.Context, c *admin.Client) (admin.Obeyed, error) {
				return c.Kick(ctx, args[0], channels)
			})
		},
	}
	cmd.Flags().StringSliceVar(&channels, "channel", nil, "only from this channel; may be repeated")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func newQueueCommand(s *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "queue", Short: "Look at and remove what waits for readers"}
	cmd.AddCommand(newQueueList(s), newQueueShow(s), newPurgeCommand(s))
	return cmd
}

func newPurgeCommand(s *shared) *cobra.Command {
	var delivered, all, self, yes bool
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove messages, on every node",
		Long: `Removes what waits for readers: it is not delivered and counts as purged. With --delivered it removes what is delivered and only kept, with --all
both. It does so on every node that is online, or with --self on this one alone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			what, text := admin.PurgePending, "everything that waits for a reader"
			switch {
			case delivered && all:
				return usage("give --delivered or --all, not both")
			case delivered:
				what, text = admin.PurgeDelivered, "everything that is delivered and kept"
			case all:
				what, text = admin.PurgeAll, "every message"
			}
			where := "every node"
			if self {
				where = "this node"
			}
			return s.order(cmd, yes, fmt.Sprintf("Remove %s, on %s?", text, where), func(ctx context.Context, c *admin.Client) (admin.Obeyed, error) {
				return c.Purge(ctx, what, self)
			})
		},
	}
	cmd.Flags().BoolVar(&delivered, "delivered", false, "what is delivered and only kept, instead of what waits")
	cmd.Flags().BoolVar(&all, "all", false, "both")
	cmd.Flags().BoolVar(&self, "self", false, "on this node alone")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func newReplayCommand(s *shared) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "replay <channel>",
		Short: "Have what a channel's senders still keep delivered again",
		Long: `Has everything that the senders of a channel still keep delivered to this node again, in order, from the oldest message on: for a node
whose database was deleted, and which so went on where the old one was. What was handled is handled once more. Senders keep what everybody has handled for
storage.delivered_message_retention; what expired or was purged stays away. A sender that is offline does it when it is back.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := channelName(args[0]); err != nil {
				return err
			}
			question := fmt.Sprintf("Have everything that the senders of %s still keep handled here once more?", args[0])
			return s.order(cmd, yes, question, func(ctx context.Context, c *admin.Client) (admin.Obeyed, error) { return c.Replay(ctx, args[0]) })
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

var errNotObeyed = errors.New("not every node has obeyed")

// order gives an order after it was confirmed, and says who has not obeyed.
func (s *shared) order(cmd *cobra.Command, yes bool, question string, give func(context.Context, *admin.Client) (admin.Obeyed, error)) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if !yes {
		if err := confirm(cmd, question); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), orderWithin)
	defer cancel()
	obeyed, err := give(ctx, client)
	if err != nil {
		return err
	}
	if len(obeyed.Failures) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "done")
		return nil
	}
	texts := make([]string, 0, len(obeyed.Failures))
	for _, f := range obeyed.Failures {
		texts = append(texts, printable(f.Node)+": "+printable(f.Error))
	}
	return fmt.Errorf("%w: %s", errNotObeyed, strings.Join(texts, "; "))
}

// confirm asks on standard error and reads the answer from standard input.
func confirm(cmd *cobra.Command, question string) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s Type yes: ", question)
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 1<<10)).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(cmd.ErrOrStderr())
		return usage("nobody is there to confirm: give --yes to do it without asking")
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "yes" && answer != "y" {
		return errors.New("nothing was done")
	}
	return nil
}
