package connect

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
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
	// Grace is how long a file that was replaced may stay silent before its successor is begun. Default: 5 s.
	Grace time.Duration
}

// follow makes a message of every line of one or more growing files. One goroutine reads them in turn.
type follow struct {
	FollowOptions
	sink  Sink
	log   zerolog.Logger
	tails []*tail
	// places are what was remembered for files that have not been opened yet.
	places  map[string]place
	missing bool
}

// NewFollow returns an input that follows files across rotation, truncation and restarts. Every line is sent once: the place
// behind it is remembered in the transaction that makes it durable. A last line counts once its line feed is there, or when the
// file has been replaced.
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
			m, err := t.step(ctx)
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

func (f *follow) recall() error {
	remembered, err := f.sink.Remembered()
	if err != nil {
		return err
	}
	for _, c := range remembered {
		var p place
		if err := json.Unmarshal(c.Value, &p); err != nil || p.Offset < 0 || p.HeadSize < 0 || p.HeadSize > headSize {
			f.log.Error().Str("file", c.Key).Msg("the place remembered for this file is not readable; it is read from its start")
			continue
		}
		f.places[c.Key] = p
	}
	return nil
}

// reclaim opens the files that were being read when the process ended, under whatever name they have now.
func (f *follow) reclaim() {
	for path, p := range f.places {
		for _, candidate := range append([]string{path}, neighbours(path)...) {
			if info, err := os.Stat(candidate); err != nil || !p.same(identityOf(info)) {
				continue
			}
			file, info, err := openRegular(candidate)
			if err != nil {
				continue
			}
			if id := identityOf(info); p.same(id) && p.fits(file, info.Size()) {
				p.identity = id
				f.tails = append(f.tails, newTail(f, path, file, p))
				delete(f.places, path)
				break
			}
			file.Close()
		}
	}
}

// neighbours are the files beside path, one of which a rotation may have made of it.
func neighbours(path string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != filepath.Base(path) {
			out = append(out, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return out
}

// scan looks for files to follow that are not open yet.
func (f *follow) scan() {
	paths, err := filepath.Glob(f.Path)
	if err != nil || len(paths) == 0 {
		paths = []string{f.Path}
	}
	slices.Sort(paths)
	for _, path := range paths {
		if slices.ContainsFunc(f.tails, func(t *tail) bool { return t.path == path }) {
			continue
		}
		file, info, err := openRegular(path)
		if err != nil {
			if path == f.Path && !f.missing {
				f.log.Warn().Str("file", path).Err(err).Msg("waiting for the file")
			}
			f.missing = path == f.Path
			continue
		}
		f.missing = false
		if f.renamed(path, identityOf(info)) {
			file.Close()
			continue
		}
		f.begin(path, file, identityOf(info))
	}
}

// renamed says whether the file at path is being read already, under the name that it had before. It keeps its place under the
// new one.
func (f *follow) renamed(path string, id identity) bool {
	for _, t := range f.tails {
		if !id.known || !t.place.same(id) {
			continue
		}
		if info, err := os.Stat(t.path); err != nil || !identityOf(info).same(id) {
			t.rename(path)
		}
		return true
	}
	return false
}

// begin follows a file from its start.
func (f *follow) begin(path string, file *os.File, id identity) {
	if p, ok := f.places[path]; ok {
		delete(f.places, path)
		f.log.Warn().Str("file", path).Int64("was_at", p.Offset).Msg("the file was replaced or cut while the router was down, and what it was is not there any more; reading the new one from its start")
	}
	f.tails = append(f.tails, newTail(f, path, file, place{identity: id}))
}
