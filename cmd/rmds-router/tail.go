package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

type tailFlags struct {
	*shared
	output string
	count  int
}

func newTailCommand(s *shared) *cobra.Command {
	f := &tailFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "tail <channel>",
		Short: "Watch the messages that pass through a running router",
		Long: `Prints the messages that the router sends or handles on a channel from now on, until Ctrl-C. Watching takes nothing away:
the messages go to their readers all the same.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, raw (the message alone) or json")
	cmd.Flags().IntVarP(&f.count, "count", "n", 0, "stop after so many messages (default: never)")
	return cmd
}

func (f *tailFlags) run(cmd *cobra.Command, channel string) error {
	show, ok := shows[f.output]
	if !ok {
		return usage("--output %q is none of text, raw and json", f.output)
	}
	if err := channelName(channel); err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	seen := 0
	err = client.Tail(cmd.Context(), channel,
		func() {
			fmt.Fprintf(os.Stderr, "watching %s; Ctrl-C stops\n", channel)
		},
		func(e admin.Event) error {
			if err := show(out, e); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
			if seen++; seen == f.count {
				return errEnough
			}
			return nil
		},
		func(n int64) { fmt.Fprintf(os.Stderr, "%d messages came too fast to show\n", n) })
	if errors.Is(err, errEnough) || cmd.Context().Err() != nil {
		return nil
	}
	return fmt.Errorf("watch %s: %w", channel, err)
}

// shows are the ways to print a message.
var shows = map[string]func(io.Writer, admin.Event) error{"text": printText, "raw": printRaw, "json": printJSON}

// errEnough ends a tail that has shown what it was asked for.
var errEnough = errors.New("enough")

func (e eventData) bytes() []byte {
	if e.DataBase64 != nil {
		return e.DataBase64
	}
	return []byte(e.Data)
}

type eventData admin.Event

// printText shows a message on a line of its own. What could move the cursor or colour the terminal is shown as its code.
func printText(w io.Writer, e admin.Event) error {
	arrow := "<-"
	if e.Direction == "out" {
		arrow = "->"
	}
	_, err := fmt.Fprintf(w, "%s %s %s  %s\n", time.UnixMilli(e.CreatedMs).Format("2006-01-02 15:04:05.000"), arrow, printable(e.Sender), printable(string(eventData(e).bytes())))
	return err
}

func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\t' || unicode.IsGraphic(r) {
			b.WriteRune(r)
			continue
		}
		quoted := fmt.Sprintf("%q", r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

func printRaw(w io.Writer, e admin.Event) error {
	_, err := w.Write(append(eventData(e).bytes(), '\n'))
	return err
}

func printJSON(w io.Writer, e admin.Event) error { return json.NewEncoder(w).Encode(e) }
