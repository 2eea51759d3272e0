package chaos

import (
	"context"
	"fmt"
	"time"
)

// judge holds files, counts and accounts against what was sent, and against each other.
func (r *run) judge() {
	for _, reader := range r.readers() {
		seen, err := readEffects(reader.output, reader.Name, reader.Starts()-1, &r.load.streams, r.report.Drained)
		if err != nil {
			r.broken("%v", err)
			continue
		}
		r.report.Seen = append(r.report.Seen, seen...)
		for _, s := range seen {
			for _, example := range s.Examples {
				r.broken("at %s, effects of %s: %s", s.Reader, s.Of, example)
			}
		}
	}
	for _, a := range r.report.Accounts {
		if !a.Balanced() {
			r.broken("the account of %s for %s on %s does not balance", a.Node, a.Reader, a.Channel)
		}
	}
	if r.report.Drained {
		r.judgeCounts()
	}
}

// judgeCounts requires that plugins, files and accounts have counted the same messages.
func (r *run) judgeCounts() {
	effects := map[string]int64{}
	for _, s := range r.report.Seen {
		if s.Reader == s.Of {
			effects[s.Of] = int64(s.Effects)
		}
	}
	for _, a := range r.report.Accounts {
		want := effects[a.Node]
		if a.Channel == loadChannel {
			want = effects[a.Reader]
		}
		if a.Accepted != want || a.Handled != want {
			r.broken("the account of %s for %s on %s has %d accepted and %d handled, and there are %d effects", a.Node, a.Reader, a.Channel, a.Accepted, a.Handled, want)
		}
	}
	if want := len(readerNames) * (1 + len(readerNames)); len(r.report.Accounts) != want {
		r.broken("there are %d accounts, want %d", len(r.report.Accounts), want)
	}
	for _, reader := range r.readers() {
		if count, err := r.counted(reader); err != nil || count != effects[reader.Name] {
			r.broken("the plugin of %s has counted %d messages, and there are %d effects (error: %v)", reader.Name, count, effects[reader.Name], err)
		}
	}
}

// counted asks a reader for its plugin's count.
func (r *run) counted(reader *router) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n, err := reader.client.Counter(ctx, plugin, counter)
	if err != nil {
		return 0, fmt.Errorf("ask %s for its count: %w", reader.Name, err)
	}
	return n, nil
}
