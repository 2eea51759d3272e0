package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/getevo/rmds-router/router/admin"
)

type tailFlags struct {
	*shared
	output   string
	count    int
	last     int
	since    time.Duration
	noFollow bool
}

func newTailCommand(s *shared) *cobra.Command {
	f := &tailFlags{shared: s}
	cmd := &cobra.Command{
		Use:   "tail <channel>",
		Short: "Watch the messages that pass through a running router",
		Long: `Prints the messages that the router sends or handles on a channel from now on, until Ctrl-C. Watching takes nothing away:
the messages go to their readers all the same.

--last and --since begin with what was received before, if the router keeps a journal of the channel (channels[].journal).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, raw (the message alone) or json")
	cmd.Flags().IntVarP(&f.count, "count", "n", 0, "stop after so many messages (default: never)")
	cmd.Flags().IntVar(&f.last, "last", 0, "begin with the last so many messages received")
	cmd.Flags().DurationVar(&f.since, "since", 0, "begin with the messages received in this time, such as 1h")
	cmd.Flags().BoolVar(&f.noFollow, "no-follow", false, "with --last or --since: stop there")
	return cmd
}

func (f *tailFlags) run(cmd *cobra.Command, channel string) error {
	show, ok := shows[f.output]
	if !ok {
		return usage("--output %q is none of text, raw and json", f.output)
	}
	if err := errors.Join(channelName(channel), f.check()); err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	t := &tailing{tailFlags: f, client: client, channel: channel, out: bufio.NewWriter(cmd.OutOrStdout()), show: show}
	if f.noFollow {
		err = t.history(cmd.Context())
	} else {
		err = t.follow(cmd.Context())
	}
	if err == nil || errors.Is(err, errEnough) || cmd.Context().Err() != nil {
		return nil
	}
	return fmt.Errorf("watch %s: %w", channel, err)
}

func (f *tailFlags) check() error {
	switch {
	case f.last < 0:
		return usage("--last %d is below zero", f.last)
	case f.since < 0:
		return usage("--since %s is below zero", f.since)
	case f.noFollow && f.last == 0 && f.since == 0:
		return usage("--no-follow shows nothing without --last or --since")
	}
	return nil
}

// tailing is a tail at work.
type tailing struct {
	*tailFlags
	client  *admin.Client
	channel string
	out     *bufio.Writer
	show    func(io.Writer, admin.Event) error
	seen    int
	shown   map[string]bool // ids of what the journal held: a message that comes meanwhile may be there and in the stream
}

func (t *tailing) print(e admin.Event) error {
	if err := t.show(t.out, e); err != nil {
		return err
	}
	if err := t.out.Flush(); err != nil {
		return err
	}
	if t.seen++; t.seen == t.count {
		return errEnough
	}
	return nil
}

// follow watches, and shows what was before when it is sure to miss nothing.
func (t *tailing) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var before error
	err := t.client.Tail(ctx, t.channel,
		func() {
			fmt.Fprintf(os.Stderr, "watching %s; Ctrl-C stops\n", t.channel)
			if before = t.past(ctx); before != nil {
				cancel()
			}
		},
		func(e admin.Event) error {
			if t.shown[e.ID] && e.ID != "" {
				delete(t.shown, e.ID)
				return nil
			}
			return t.print(e)
		},
		func(n int64) { fmt.Fprintf(os.Stderr, "%d messages came too fast to show\n", n) })
	if before != nil {
		return before
	}
	return err
}

// past shows what was asked for of the journal; that there is none is told, and no error.
func (t *tailing) past(ctx context.Context) error {
	if t.last == 0 && t.since == 0 {
		return nil
	}
	err := t.history(ctx)
	var p *admin.Problem
	if errors.As(err, &p) && p.Status == http.StatusConflict {
		fmt.Fprintf(os.Stderr, "%s on this node (channels[].journal keeps what is received): this shows only what comes now\n", p.Detail)
		return nil
	}
	return err
}

// history shows what the journal holds.
func (t *tailing) history(ctx context.Context) error {
	q := admin.JournalQuery{Last: t.last}
	if t.since > 0 {
		q.Since = time.Now().Add(-t.since)
	}
	t.shown = map[string]bool{}
	for {
		page, err := t.client.Journal(ctx, t.channel, q)
		if err != nil {
			return err
		}
		for _, e := range page.Messages {
			t.shown[e.ID] = true
			if err := t.print(e); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		q = admin.JournalQuery{After: page.Next}
	}
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
