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
	size   int64     // at the last look
	grown  time.Time // when it was last seen to have another size
	moved  time.Time // since when it is known to be replaced; zero while it is in its place
	faulty bool
	// unsaved says that what is remembered of its queue is not what is known.
	unsaved bool
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
	t.path, t.tag, t.unsaved = path, newTagger(path), true
}

// look sees how large the file is, and when it grows.
func (t *tail) look() (size int64, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() != t.size {
		t.size, t.grown = info.Size(), time.Now()
	}
	return t.size, nil
}

// step sends at most one batch, or looks at what became of a file that is at its end. It says whether there may be more at once.
func (t *tail) step(ctx context.Context) (moved bool, err error) {
	size, err := t.look()
	if err != nil {
		return false, err
	}
	if !t.place.fits(t.file, size) {
		t.follow.log.Warn().Str("file", t.path).Int64("was_at", t.place.Offset).Msg("the file was cut or written anew; reading it from its start")
		t.place = place{identity: t.place.identity}
	}
	n, err := t.send(ctx, false)
	if err != nil || n > 0 {
		return n > 0, err
	}
	if t.unsaved {
		if err := t.commit(ctx, nil, func(int) []Change { return t.changes(t.place) }); err != nil {
			return false, err
		}
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
	if err := t.commit(ctx, messages, func(n int) []Change { return t.changes(after(n)) }); err != nil {
		return err
	}
	t.place = after(len(batch))
	return nil
}

// commit sends messages and remembers changes, which are all that is to be known of t's queue.
func (t *tail) commit(ctx context.Context, messages [][]byte, changes func(n int) []Change) error {
	if err := deliverWith(ctx, t.follow.sink, t.follow.log, messages, changes, t.follow.wait); err != nil {
		return err
	}
	for _, other := range t.follow.queue(t.path) {
		other.former, other.unsaved = "", false
	}
	return nil
}

// changes is what to remember when t is at p: the places in all files of its queue.
func (t *tail) changes(p place) []Change {
	q := t.follow.queue(t.path)
	var places []place
	for _, one := range q {
		if one == t {
			places = append(places, p)
		} else {
			places = append(places, one.place)
		}
	}
	return append([]Change{queued(t.path, places)}, t.forget(q)...)
}

// queued remembers the places of a queue, or that there is none.
func queued(path string, places []place) Change {
	if len(places) == 0 {
		return Change{Key: path}
	}
	first := places[0]
	first.Next = places[1:]
	return first.change(path)
}

// forget are the names that files of a queue had before, unless others have them now.
func (t *tail) forget(q []*tail) []Change {
	var changes []Change
	for _, one := range append(q, t) {
		if one.former != "" && one.former != t.path && len(t.follow.queue(one.former)) == 0 {
			changes = append(changes, Change{Key: one.former})
		}
	}
	return changes
}

// atEnd sees whether the file has been replaced at its path. If so, and it has not grown for a while, its last line is sent even
// without a line feed, and it is done with: the next of its queue is read.
func (t *tail) atEnd(ctx context.Context) (moved bool, err error) {
	info, err := os.Stat(t.path)
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return false, err
	}
	if !gone && (!t.place.known || identityOf(info).same(t.place.identity)) {
		t.moved = time.Time{}
		return false, nil
	}
	followed := len(t.follow.queue(t.path)) > 1
	if own, err := t.file.Stat(); gone && !followed && (err != nil || !unlinked(own)) {
		return false, nil // renamed and not replaced yet: its writer may still be at it
	}
	if t.moved.IsZero() {
		t.moved = time.Now()
	}
	if time.Since(t.moved) < t.follow.Grace || time.Since(t.grown) < t.follow.Grace {
		return false, nil
	}
	if _, err := t.send(ctx, true); err != nil {
		return false, err
	}
	return true, t.finish(ctx, gone)
}

// finish ends a file that was replaced or removed: its successors' places, or none, are remembered in its stead.
func (t *tail) finish(ctx context.Context, gone bool) error {
	next := func(int) []Change {
		if q := t.follow.queue(t.path); len(q) > 1 {
			var places []place
			for _, other := range q {
				if other != t {
					places = append(places, other.place)
				}
			}
			return append([]Change{queued(t.path, places)}, t.forget(q)...)
		}
		change := Change{Key: t.path}
		if info, err := os.Stat(t.path); !gone && err == nil {
			change = place{identity: identityOf(info)}.change(t.path)
		}
		return append([]Change{change}, t.forget([]*tail{t})...)
	}
	if err := t.commit(ctx, nil, next); err != nil {
		return err
	}
	t.close()
	return nil
}
