package plugins

import (
	"bytes"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// A plugin may log this many lines a second, and as many at once.
const (
	linesPerSecond = 100
	lineBurst      = 500
)

// lineGate is the rate limit of a plugin's log lines.
type lineGate struct {
	mu      sync.Mutex
	credit  float64
	last    time.Duration // monotonic
	dropped int           // since the last line that passed
}

// pass takes one line at a time; dropped is how many were refused since the last that passed.
func (g *lineGate) pass(now time.Duration) (ok bool, dropped int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.credit = min(lineBurst, g.credit+(now-g.last).Seconds()*linesPerSecond)
	g.last = now
	if g.credit < 1 {
		g.dropped++
		return false, 0
	}
	g.credit--
	dropped, g.dropped = g.dropped, 0
	return true, dropped
}

// line logs text from the guest, within the limits of the call and the plugin.
func (in *instance) line(level zerolog.Level, stream string, text []byte) {
	room := in.p.config.Limits.Log - in.call.logged
	in.call.logged += len(text)
	if room <= 0 {
		in.p.counts.linesDropped.Add(1)
		return
	}
	ok, dropped := in.p.lines.pass(monotonic())
	if !ok {
		in.p.counts.linesDropped.Add(1)
		return
	}
	e := in.p.log.WithLevel(level)
	if in.call.msg != nil {
		e.Str("message_id", in.call.msg.ID)
	}
	if stream != "" {
		e.Str("stream", stream)
	}
	if dropped > 0 {
		e.Int("lines_dropped", dropped)
	}
	e.Msg(cleanText(text, room))
}

// logFault logs that a call failed. Every fault is counted, but only as many are logged as lines are.
func (p *Plugin) logFault(m *Message, reason string) {
	ok, dropped := p.faults.pass(monotonic())
	if !ok {
		return
	}
	e := p.log.Warn().Str("fault", reason)
	if m != nil {
		e.Str("message_id", m.ID)
	}
	if dropped > 0 {
		e.Int("faults_dropped", dropped)
	}
	e.Msg("plugin failed")
}

// lineWriter is a guest's stdout or stderr: every line is a log line. What a call leaves without a line end is flushed with the call.
type lineWriter struct {
	in     *instance
	stream string
	rest   []byte
}

const maxLine = 4 << 10

func (w *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			w.rest = append(w.rest, b[:min(len(b), maxLine)]...)
			b = b[min(len(b), maxLine):]
			if len(w.rest) >= maxLine {
				w.flush()
			}
			continue
		}
		w.rest = append(w.rest, b[:min(end, maxLine)]...)
		b = b[end+1:]
		w.flush()
	}
	return n, nil
}

func (w *lineWriter) flush() {
	if len(w.rest) == 0 {
		return
	}
	w.in.line(zerolog.InfoLevel, w.stream, w.rest)
	w.rest = w.rest[:0]
}
