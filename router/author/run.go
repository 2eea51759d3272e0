package author

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/getevo/rmds-router/plugins"
)

// start is the clock of a case that does not set its own.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Test runs every case against the built module and writes a line for each, with the differences of those that fail. The error wraps ErrFailed if any did.
func (s *Suite) Test(ctx context.Context, c plugins.Config, cacheDir string, out io.Writer) error {
	failed := 0
	for i := range s.Cases {
		problems, err := s.Cases[i].run(ctx, c, cacheDir)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Cases[i].Name, err)
		}
		if len(problems) == 0 {
			fmt.Fprintf(out, "ok    %s\n", s.Cases[i].Name)
			continue
		}
		failed++
		fmt.Fprintf(out, "FAIL  %s\n", s.Cases[i].Name)
		for _, p := range problems {
			fmt.Fprintf(out, "      %s\n", strings.ReplaceAll(p, "\n", "\n      "))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d", ErrFailed, failed, len(s.Cases))
	}
	fmt.Fprintf(out, "%d cases passed\n", len(s.Cases))
	return nil
}

// bench is a case under way.
type bench struct {
	plugin *plugins.Plugin
	state  plugins.MemoryState
	log    lines

	mu  sync.Mutex
	now time.Time
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// run plays the case; the problems are differences, the error means that it could not be played.
func (c *Case) run(ctx context.Context, config plugins.Config, cacheDir string) (problems []string, err error) {
	b := &bench{now: c.Now}
	if b.now.IsZero() {
		b.now = start
	}
	host := plugins.NewHost(plugins.HostOptions{CacheDir: cacheDir, Logger: zerolog.New(&b.log).Level(zerolog.DebugLevel), State: &b.state, Now: b.clock})
	defer func() { err = errors.Join(err, host.Close(context.WithoutCancel(ctx))) }()
	if b.plugin, err = host.Load(ctx, config); err != nil {
		return nil, err
	}
	for key, v := range c.KV {
		b.state.Apply(config.Name, []plugins.StateChange{{Key: []byte(key), Value: v.bytes}})
	}
	for i := range c.Steps {
		for _, p := range c.Steps[i].play(ctx, b, i+1) {
			problems = append(problems, fmt.Sprintf("step %d: %s", i+1, p))
		}
	}
	return append(problems, c.compareKeys(b)...), nil
}

// play makes the call of a step and lists what is different from what is expected.
func (s *Step) play(ctx context.Context, b *bench, number int) []string {
	b.advance(s.Advance)
	from := b.log.count()
	var o plugins.Outcome
	var m plugins.Message
	switch {
	case s.Filter != nil:
		m = s.Filter.message(b.clock(), number)
		o = b.plugin.Filter(ctx, &m)
	case s.Handle != nil:
		m = s.Handle.message(b.clock(), number)
		o = b.plugin.Handle(ctx, &m)
	default:
		o = b.plugin.Tick(ctx, b.clock())
	}
	if o.Verdict == plugins.Pass || o.Verdict == plugins.Drop {
		b.state.Apply(b.plugin.Name(), o.Effects.State)
	}
	problems := s.Expect.compare(&o)
	problems = append(problems, s.Expect.compareLog(b.log.from(from))...)
	o.Release()
	o.Settle(nil)
	return problems
}

func (c *Case) compareKeys(b *bench) (problems []string) {
	if c.After == nil {
		return nil
	}
	have := b.state.All(b.plugin.Name())
	for key, want := range c.After {
		value, ok := have[key]
		switch {
		case want.bytes == nil && ok:
			problems = append(problems, fmt.Sprintf("key %q is there: %s", key, shownValue(value)))
		case want.bytes != nil && !ok:
			problems = append(problems, fmt.Sprintf("key %q is absent, want %s", key, shownValue(want.bytes)))
		case want.bytes != nil && !bytes.Equal(value, want.bytes):
			problems = append(problems, fmt.Sprintf("key %q\n- want %s\n+ got  %s", key, shownValue(want.bytes), shownValue(value)))
		}
	}
	for key, value := range have {
		if _, listed := c.After[key]; !listed {
			problems = append(problems, fmt.Sprintf("key %q is not in kv_after: %s", key, shownValue(value)))
		}
	}
	return problems
}

func counterBytes(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// shownValue writes a key's value so that a counter can be read.
func shownValue(b []byte) string {
	if len(b) == 8 {
		return fmt.Sprintf("%d (a counter; as text %q)", int64(binary.LittleEndian.Uint64(b)), b)
	}
	return fmt.Sprintf("%q", b)
}

// lines is what the plugin logs.
type lines struct {
	mu  sync.Mutex
	all []string
}

// Write takes one line of the log, as JSON.
func (l *lines) Write(b []byte) (int, error) {
	var line struct{ Level, Message, Fault string }
	if err := json.Unmarshal(b, &line); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, strings.TrimSpace(line.Level+" "+line.Message+" "+line.Fault))
	return len(b), nil
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

func (l *lines) from(i int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.all[i:]...)
}
