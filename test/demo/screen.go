package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// screen shows progress: on a terminal as one line that changes, elsewhere as a line a second.
type screen struct {
	out      io.Writer
	terminal bool
	shown    time.Time
	live     bool // the terminal's line is on the screen
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

func (s *screen) show(g glimpse, kills []kill, at time.Duration) {
	pause := time.Second
	if s.terminal {
		pause = 100 * time.Millisecond
	}
	if time.Since(s.shown) < pause {
		return
	}
	s.shown = time.Now()
	text := fmt.Sprintf("%5.1f s  accepted %7d   handled %7d   pending %7d   alerts %5d   kills %d",
		at.Seconds(), g.lines.Accepted+g.telemetry.Accepted, g.lines.Handled+g.telemetry.Handled, g.pending(), g.alerts.Accepted, len(kills))
	if !s.terminal {
		fmt.Fprintln(s.out, text)
		return
	}
	fmt.Fprint(s.out, "\r\x1b[K", text)
	s.live = true
}

// note prints a line that stays.
func (s *screen) note(text string) {
	s.done()
	fmt.Fprintln(s.out, text)
}

// done takes the changing line off the screen.
func (s *screen) done() {
	if s.live {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.live = false
	}
}
