package connect

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rs/zerolog"
)

// FollowOptions of a followed file.
type FollowOptions struct {
	// Path is a file, or a pattern as filepath.Match has it. Files may come later.
	Path string
	// Tagged makes every message JSON with the file and the line number.
	Tagged bool
	// Poll is how often files at their end are looked at again. Default: 100 ms.
	Poll time.Duration
	// Grace is how long a file that was replaced must have been silent before it is done with and its successor's lines are
	// sent. It runs for each file on its own, from when it was replaced. Default: 5 s.
	Grace time.Duration
}

// follow makes a message of every line of one or more growing files. One goroutine reads them in turn.
type follow struct {
	FollowOptions
	sink Sink
	log  zerolog.Logger
	// tails are the open files. Those of the same path are its queue, older ones first: only the first of them is sent from.
	tails []*tail
	// places are what was remembered for files that have not been opened yet.
	places  map[string]place
	missing bool
	crowded bool // some queue is full, and the log has it
}

// maxQueue is how many files of one path may be open. A file beyond is opened once there is room, if it is still there then.
const maxQueue = 256

// NewFollow returns an input that follows files across rotation, truncation and restarts. Every line is sent once: the place
// behind it is remembered in the transaction that makes it durable. A last line counts once its line feed is there, or when the
// file has been replaced. Every file that stands at the path when it is looked at, which is at every Poll, is opened then and read
// to its end, however soon it is replaced; a file that came and went between two looks is never seen.
func NewFollow(o FollowOptions, sink Sink, log zerolog.Logger) Input {
	if o.Poll == 0 {
		o.Poll = 100 * time.Millisecond
	}
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	return &follow{FollowOptions: o, sink: sink, log: log, places: map[string]place{}}
}

func (f *follow) Run(ctx context.Context) error {
	defer func() {
		for _, t := range f.tails {
			t.close()
		}
	}()
	if err := f.recall(); err != nil {
		return err
	}
	f.reclaim()
	var scanned time.Time
	for ctx.Err() == nil {
		if time.Since(scanned) >= f.Poll {
			f.scan()
			scanned = time.Now()
		}
		moved := false
		for _, t := range slices.Clone(f.tails) {
			m, err := f.turn(ctx, t)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil && !t.faulty {
				f.log.Warn().Err(err).Str("file", t.path).Msg("the file cannot be read; trying again")
			}
			t.faulty = err != nil
			moved = moved || m
		}
		f.tails = slices.DeleteFunc(f.tails, func(t *tail) bool { return t.file == nil })
		if !moved && sleep(ctx, f.Poll) != nil {
			return nil
		}
	}
	return nil
}

// turn sends from a file if it is the first of its queue, and else only sees whether it still grows.
func (f *follow) turn(ctx context.Context, t *tail) (moved bool, err error) {
	if q := f.queue(t.path); len(q) == 0 || q[0] != t {
		_, err := t.look()
		if len(q) > 0 && q[len(q)-1] != t && t.moved.IsZero() {
			t.moved = time.Now()
		}
		return false, err
	}
	return t.step(ctx)
}

// queue are the open files of a path, older ones first.
func (f *follow) queue(path string) []*tail {
	var q []*tail
	for _, t := range f.tails {
		if t.path == path && t.file != nil {
			q = append(q, t)
		}
	}
	return q
}

// wait is a sleep that goes on looking for new files, so that none is missed while the channel refuses messages.
func (f *follow) wait(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); ; f.scan() {
		left := time.Until(end)
		if left <= 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, min(left, f.Poll)); err != nil {
			return err
		}
	}
}

func (f *follow) recall() error {
	remembered, err := f.sink.Remembered()
	if err != nil {
		return err
	}
	for _, c := range remembered {
		var p place
		if err := json.Unmarshal(c.Value, &p); err != nil || !p.sound() {
			f.log.Error().Str("file", c.Key).Msg("the place remembered for this file is not readable; it is read from its start")
			continue
		}
		f.places[c.Key] = p
	}
	return nil
}
