package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

type sendFlags struct {
	*shared
	ttl     time.Duration
	file    string
	headers []string
}

func newSendCommand(s *shared) *cobra.Command {
	f := &sendFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "send <channel> [text|-]",
		Short: "Send one message through a running router",
		Long: `Sends one message, waits until it is durable at the router, and prints its id. The text - is standard input.
Exit code 0 means that the message is kept until its readers have handled it.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().DurationVar(&f.ttl, "ttl", 0, "how long the message is worth delivering, such as 10m (default: the router's delivery.message_expiry)")
	cmd.Flags().StringVar(&f.file, "file", "", "send what this file holds")
	cmd.Flags().StringArrayVar(&f.headers, "header", nil, "a header of the message, as name=value")
	return cmd
}

func (f *sendFlags) run(cmd *cobra.Command, args []string) error {
	m := admin.Outgoing{TTL: f.ttl}
	if err := channelName(args[0]); err != nil {
		return err
	}
	if f.ttl < 0 {
		return usage("--ttl %s is below zero", f.ttl)
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return usage("--header %s: write name=value", h)
		}
		m.Headers = append(m.Headers, admin.Header{Name: name, Value: value})
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	if m.Data, err = f.data(cmd, args); err != nil {
		return err
	}
	receipt, err := client.Send(cmd.Context(), args[0], m)
	if err != nil {
		return fmt.Errorf("send on %s: %w", args[0], err)
	}
	if receipt.Dropped {
		fmt.Fprintln(cmd.OutOrStdout(), "dropped by a filter")
		return nil
	}
	fmt.Fprintln(cmd.OutOrStdout(), receipt.ID)
	return nil
}

func (f *sendFlags) data(cmd *cobra.Command, args []string) ([]byte, error) {
	switch {
	case f.file != "" && len(args) == 2:
		return nil, usage("give the text or --file, not both")
	case f.file != "":
		data, err := os.ReadFile(f.file)
		if err != nil {
			return nil, fmt.Errorf("read the message: %w", err)
		}
		return data, nil
	case len(args) == 1:
		return nil, usage("what to send is missing: give the text, - for standard input, or --file")
	case args[1] == "-":
		data, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("read the message from standard input: %w", err)
		}
		return data, nil
	}
	return []byte(args[1]), nil
}
