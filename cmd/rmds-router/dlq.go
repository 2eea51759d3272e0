package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

type dlqFlags struct {
	*shared
	output  string
	channel string
	sender  string
	input   string
	limit   int
	all     bool
	yes     bool
}

func newDLQCommand(s *shared) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, try them again, or drop them",
		Long: `Dead letters are messages that a running router gave up on: those it received and could not handle in delivery.max_retry_attempts
attempts, and those of its inputs that a filter rejected for good.`,
	}
	cmd.AddCommand(newDLQList(s), newDLQShow(s), newDLQRedrive(s), newDLQDrop(s))
	return cmd
}

func (f *dlqFlags) filters(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.channel, "channel", "", "only those of this channel")
	cmd.Flags().StringVar(&f.sender, "sender", "", "only those that this node sent")
	cmd.Flags().StringVar(&f.input, "input", "", "only those that this input read")
}

func newDLQList(s *shared) *cobra.Command {
	f := &dlqFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List dead letters, oldest first",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.list(cmd) },
	}
	outputFlag(cmd, &f.output)
	f.filters(cmd)
	cmd.Flags().IntVarP(&f.limit, "limit", "n", 1000, "list at most so many")
	return cmd
}

func (f *dlqFlags) list(cmd *cobra.Command) error {
	if err := tableOrJSON(f.output); err != nil {
		return err
	}
	if f.limit < 1 {
		return usage("--limit %d is below one", f.limit)
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	letters, more := []admin.DeadLetter{}, false
	filter := admin.DeadLetterFilter{Channel: f.channel, Sender: f.sender, Input: f.input}
	for len(letters) < f.limit {
		filter.Limit = min(f.limit-len(letters), 100)
		page, err := client.DeadLetters(cmd.Context(), filter)
		if err != nil {
			return fmt.Errorf("list dead letters: %w", err)
		}
		letters = append(letters, page.Letters...)
		if filter.After, more = page.Next, page.Next != ""; !more {
			break
		}
	}
	if f.output == "json" {
		return indented(cmd.OutOrStdout(), letters)
	}
	if len(letters) == 0 {
		fmt.Fprintln(os.Stderr, "no dead letters")
		return nil
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "ID\tCHANNEL\tFROM\tSEQ\tATTEMPTS\tDIED\tSIZE\tREASON\n")
	for _, l := range letters {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\n", l.ID, l.Channel, origin(&l), orDash(sequence(l.Seq)), l.Attempts, when(l.DiedMs), l.Size, printable(l.Reason))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(os.Stderr, "there are more than %d: see --limit\n", f.limit)
	}
	return nil
}

func origin(l *admin.DeadLetter) string {
	if l.Input != "" {
		return "input " + l.Input
	}
	return printable(l.Sender)
}

func sequence(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func when(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04:05") }

func newDLQShow(s *shared) *cobra.Command {
	f := &dlqFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "show <id>",
		Short: "Show one dead letter with its message",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return f.show(cmd, args[0]) },
	}
	outputFlag(cmd, &f.output)
	return cmd
}

func (f *dlqFlags) show(cmd *cobra.Command, id string) error {
	if err := tableOrJSON(f.output); err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	l, err := client.DeadLetter(cmd.Context(), id)
	if err != nil {
		return err
	}
	if f.output == "json" {
		return indented(cmd.OutOrStdout(), l)
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nchannel\t%s\nfrom\t%s\n", l.ID, l.Channel, origin(l))
	if l.MessageID != "" {
		fmt.Fprintf(t, "message\t%s\nsequence\t%d\n", l.MessageID, l.Seq)
	}
	fmt.Fprintf(t, "reason\t%s\nattempts\t%d\ndied\t%s\n", printable(l.Reason), l.Attempts, when(l.DiedMs))
	if l.Message == nil {
		fmt.Fprintf(t, "data\tdamaged, %d bytes are stored\n", l.Size)
		return t.Flush()
	}
	fmt.Fprintf(t, "created\t%s\n", when(l.Message.CreatedMs))
	for _, h := range l.Message.Headers {
		fmt.Fprintf(t, "header\t%s=%s\n", printable(h.Name), printable(h.Value))
	}
	data := eventData(*l.Message).bytes()
	fmt.Fprintf(t, "data\t%d bytes\n", len(data))
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\n%s\n", printable(string(data)))
	return err
}

func newDLQRedrive(s *shared) *cobra.Command {
	f := &dlqFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "redrive <id>... | --all",
		Short: "Try dead letters once more",
		Long: `Gives each message to its channel's consumer once more, out of its order; what an input read goes through the filters of its channel and is
sent. What is handled now is no dead letter any more; what fails again stays one, with the new reason. The exit code is 1 if any failed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.order(cmd, args, "handled", (*admin.Client).Redrive)
		},
	}
	outputFlag(cmd, &f.output)
	f.filters(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "redrive all, or all that --channel, --sender and --input choose")
	return cmd
}

func newDLQDrop(s *shared) *cobra.Command {
	f := &dlqFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "drop <id>... | --all",
		Short: "Delete dead letters for good",
		Long:  `Deletes dead letters and their messages for good. In the accounts they stay counted as dead.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !f.yes {
				if err := confirm(cmd, "Delete these dead letters and their messages for good?"); err != nil {
					return err
				}
			}
			return f.order(cmd, args, "dropped", (*admin.Client).DropDeadLetters)
		},
	}
	outputFlag(cmd, &f.output)
	f.filters(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "drop all, or all that --channel, --sender and --input choose")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

// errStillDead ends a command that left some of what it was asked for undone.
var errStillDead = errors.New("some dead letters are still there")

// order sends an order, in parts if it is for all, and tells what came of it.
func (f *dlqFlags) order(cmd *cobra.Command, ids []string, done string, send func(*admin.Client, context.Context, admin.DeadLetterOrder) (*admin.DeadLetterResult, error)) error {
	if err := tableOrJSON(f.output); err != nil {
		return err
	}
	all := f.all || f.channel != "" || f.sender != "" || f.input != ""
	if all == (len(ids) > 0) {
		return usage("name dead letters by their ids, or choose them with --all, --channel, --sender or --input")
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	o := admin.DeadLetterOrder{IDs: ids, All: all, Channel: f.channel, Sender: f.sender, Input: f.input}
	total := admin.DeadLetterResult{Failed: []admin.DeadLetterFailure{}}
	for {
		r, err := send(client, cmd.Context(), o)
		if err != nil {
			return fmt.Errorf("after %d were %s: %w", total.Done, done, err)
		}
		total.Done += r.Done
		total.Failed = append(total.Failed, r.Failed...)
		if o.After, o.Through = r.Next, r.Through; o.After == "" {
			break
		}
		fmt.Fprintf(os.Stderr, "%d %s so far\n", total.Done, done)
	}
	if f.output == "json" {
		err = indented(cmd.OutOrStdout(), total)
	} else {
		for _, x := range total.Failed {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", x.ID, printable(x.Reason))
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d %s, %d failed\n", total.Done, done, len(total.Failed))
	}
	if err == nil && len(total.Failed) > 0 {
		return errStillDead
	}
	return err
}
