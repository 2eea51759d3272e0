package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

var errNotRegular = errors.New("not a regular file")

func openRegular(path string) (*os.File, fs.FileInfo, error) {
	// Looked at before it is opened: opening a named pipe would wait for its writer.
	if info, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w", path, errNotRegular)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, errNotRegular)
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// tail is one open file and how far it has been read.
type tail struct {
	follow *follow
	path   string // the name it is followed by; after a rotation the file itself has another
	former string // the name its place was remembered under, if that has to be forgotten
	file   *os.File
	place  place
	tag    tagger
	quiet  time.Time // since when a replaced file has given nothing; zero while it is in its place
	faulty bool
}

func newTail(f *follow, path string, file *os.File, p place) *tail {
	return &tail{follow: f, path: path, file: file, place: p, tag: newTagger(path)}
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close() // only read from
		t.file = nil
	}
}

func (t *tail) rename(path string) {
	if t.former == "" {
		t.former = t.path
	}
	t.path, t.tag = path, newTagger(path)
}

// step sends at most one batch, or looks at what became of a file that is at its end. It says whether there may be more at once.
func (t *tail) step(ctx context.Context) (moved bool, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	if !t.place.fits(t.file, info.Size()) {
		t.follow.log.Warn().Str("file", t.path).Int64("was_at", t.place.Offset).Msg("the file was cut or written anew; reading it from its start")
		t.place = place{identity: t.place.identity}
	}
	n, err := t.send(ctx, false)
	if err != nil || n > 0 {
		t.quiet = time.Time{}
		return n > 0, err
	}
	return t.atEnd(ctx)
}

// send reads from the place on and sends the whole lines of what it gets; with final set, the rest too.
func (t *tail) send(ctx context.Context, final bool) (lines int, err error) {
	size := maxBatchBytes
	for {
		data := make([]byte, size)
		n, err := t.file.ReadAt(data, t.place.Offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		batch := split(data[:n], maxBatch, final && n < size)
		if len(batch) == 0 && n == size && size <= maxLine {
			size = maxLine + 1 // a line longer than the batch
			continue
		}
		if len(batch) == 0 {
			return 0, nil
		}
		return len(batch), t.deliver(ctx, batch)
	}
}

func (t *tail) deliver(ctx context.Context, batch []line) error {
	messages := make([][]byte, len(batch))
	numbers := make([]int64, len(batch)+1) // of whole lines before each
	numbers[0] = t.place.Line
	for i, l := range batch {
		messages[i] = l.text
		if t.follow.Tagged {
			messages[i] = t.tag.render(numbers[i]+1, l.text)
		}
		numbers[i+1] = numbers[i]
		if l.last {
			numbers[i+1]++
		}
	}
	after := func(n int) place {
		if n == 0 {
			return t.place
		}
		return t.place.advanced(t.file, int64(batch[n-1].end), numbers[n]-numbers[0])
	}
	err := deliver(ctx, t.follow.sink, t.follow.log, messages, func(n int) []Change { return t.changes(after(n)) })
	if err != nil {
		return err
	}
	t.place, t.former = after(len(batch)), ""
	return nil
}

func (t *tail) changes(p place) []Change {
	changes := []Change{p.change(t.path)}
	if t.former != "" && t.former != t.path {
		changes = append(changes, Change{Key: t.former})
	}
	return changes
}

// atEnd sees whether the file has been replaced at its path. If so, and it has given nothing for a while, its last line is sent
// even without a line feed, and it is done with: the next scan opens its successor.
func (t *tail) atEnd(ctx context.Context) (moved bool, err error) {
	info, err := os.Stat(t.path)
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return false, err
	}
	if !gone && (!t.place.known || identityOf(info).same(t.place.identity)) {
		t.quiet = time.Time{}
		return false, nil
	}
	if own, err := t.file.Stat(); gone && (err != nil || !unlinked(own)) {
		return false, nil // renamed and not replaced yet: its writer may still be at it
	}
	if t.quiet.IsZero() {
		t.quiet = time.Now()
	}
	if time.Since(t.quiet) < t.follow.Grace {
		return false, nil
	}
	if _, err := t.send(ctx, true); err != nil {
		return false, err
	}
	return true, t.finish(ctx, gone)
}

// finish ends a file that was replaced or removed: its successor's place, or none, is remembered in its stead.
func (t *tail) finish(ctx context.Context, gone bool) error {
	next := Change{Key: t.path}
	if !gone {
		if info, err := os.Stat(t.path); err == nil {
			next = place{identity: identityOf(info)}.change(t.path)
		}
	}
	changes := []Change{next}
	if t.former != "" && t.former != t.path {
		changes = append(changes, Change{Key: t.former})
	}
	if err := deliver(ctx, t.follow.sink, t.follow.log, nil, func(int) []Change { return changes }); err != nil {
		return err
	}
	t.close()
	return nil
}
