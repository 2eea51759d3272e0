package connect

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

type logFile struct {
	t    *testing.T
	path string
}

func newLog(t *testing.T) logFile { return logFile{t, filepath.Join(t.TempDir(), "app.log")} }

func (l logFile) append(text string) {
	l.t.Helper()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		l.t.Fatal(err)
	}
}

func (l logFile) rename(to string) string {
	l.t.Helper()
	target := filepath.Join(filepath.Dir(l.path), to)
	if err := os.Rename(l.path, target); err != nil {
		l.t.Fatal(err)
	}
	return target
}

func (l logFile) follow(sink Sink) Input {
	return NewFollow(FollowOptions{Path: l.path, Poll: time.Millisecond, Grace: 20 * time.Millisecond}, sink, zerolog.Nop())
}

type writerFunc func(line []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestFollowsAGrowingFile(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	run(t, log.follow(sink)) // the file comes later
	log.append("one\ntwo\nthr")
	sink.await(t, "one", "two")
	log.append("ee\n\n")
	sink.await(t, "one", "two", "three", "")
}

func TestResumesWhereItStopped(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	log.append("one\ntwo\nhalf")
	stop := run(t, log.follow(sink))
	sink.await(t, "one", "two")
	stop()
	log.append(" line\nfour\n")
	run(t, log.follow(sink))
	sink.await(t, "one", "two", "half line", "four")
}

func TestSurvivesRotation(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	log.append("one\n")
	run(t, log.follow(sink))
	sink.await(t, "one")
	old := log.rename("app.log.1")
	logFile{t, old}.append("late\nunfinished")
	sink.await(t, "one", "late") // its writer is still at it
	log.append("new\n")
	sink.await(t, "one", "late", "unfinished", "new")
	log.append("newer\n")
	sink.await(t, "one", "late", "unfinished", "new", "newer")
}

// A file is open from the moment that it stands at the path, so rotations that come faster than the grace, here even with the older
// files overwritten, and with a channel that takes nothing meanwhile, lose none.
func TestSurvivesRotationsWithinTheGrace(t *testing.T) {
	for name, refuse := range map[string]int{"taken": 0, "refused": 5} {
		t.Run(name, func(t *testing.T) {
			log, sink := newLog(t), &fakeSink{}
			log.append("a1\n")
			opened := make(chan struct{}, 10)
			logger := zerolog.New(writerFunc(func(line []byte) {
				if bytes.Contains(line, []byte("the file is open")) {
					opened <- struct{}{}
				}
			}))
			f := NewFollow(FollowOptions{Path: log.path, Poll: time.Millisecond, Grace: 300 * time.Millisecond}, sink, logger)
			stop := run(t, f)
			sink.await(t, "a1")
			sink.mu.Lock()
			sink.refuse = refuse
			sink.mu.Unlock()
			log.append("a2\n")
			<-opened
			for _, line := range []string{"b1", "c1", "d1"} {
				log.rename("app.log.1")
				log.append(line + "\n")
				select {
				case <-opened:
				case <-time.After(patience):
					t.Fatalf("%s was not seen", line)
				}
			}
			sink.await(t, "a1", "a2", "b1", "c1", "d1")
			stop()
			run(t, log.follow(sink))
			log.append("d2\n")
			sink.await(t, "a1", "a2", "b1", "c1", "d1", "d2")
		})
	}
}

// What waits behind a rotated file is remembered with it.
func TestResumesInTheMiddleOfAQueue(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	log.append("a1\n")
	f := NewFollow(FollowOptions{Path: log.path, Poll: time.Millisecond, Grace: time.Hour}, sink, zerolog.Nop())
	stop := run(t, f)
	sink.await(t, "a1")
	old := log.rename("app.log.2")
	log.append("b1\n")
	sink.awaitPlace(t, log.path, `"next":[{`)
	log.rename("app.log.1")
	log.append("c1\n")
	sink.awaitPlace(t, log.path, `"next":[{`, `},{`)
	stop()
	logFile{t, old}.append("a2\n")
	run(t, log.follow(sink))
	sink.await(t, "a1", "a2", "b1", "c1")
}

func TestSurvivesRotationWhileDown(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	log.append("one\n")
	stop := run(t, log.follow(sink))
	sink.await(t, "one")
	stop()
	log.append("unread\n")
	log.rename("app.log.1")
	log.append("new\n")
	stop = run(t, log.follow(sink))
	sink.await(t, "one", "unread", "new")
	stop()
	run(t, log.follow(sink))
	log.append("newer\n")
	sink.await(t, "one", "unread", "new", "newer")
}

func TestSurvivesTruncation(t *testing.T) {
	for name, down := range map[string]bool{"running": false, "down": true} {
		t.Run(name, func(t *testing.T) {
			log, sink := newLog(t), &fakeSink{}
			log.append("a long first line\n")
			stop := run(t, log.follow(sink))
			sink.await(t, "a long first line")
			if down {
				stop()
			}
			if err := os.Truncate(log.path, 0); err != nil {
				t.Fatal(err)
			}
			log.append("x\n")
			if down {
				run(t, log.follow(sink))
			}
			sink.await(t, "a long first line", "x")
		})
	}
}

func TestNoticesACutThatLeavesTheBeginning(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	line := strings.Repeat("x", 99)
	log.append(strings.Repeat(line+"\n", 50))
	stop := run(t, log.follow(sink))
	var want []string
	for range 50 {
		want = append(want, line)
	}
	sink.await(t, want...)
	stop()
	if err := os.Truncate(log.path, 2000); err != nil { // more than the part that is remembered
		t.Fatal(err)
	}
	run(t, log.follow(sink))
	sink.await(t, append(want, want[:20]...)...)
}

func TestNoticesAFileWrittenAnewToALargerSize(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	log.append("one\n")
	stop := run(t, log.follow(sink))
	sink.await(t, "one")
	stop()
	if err := os.WriteFile(log.path, []byte("1st\n2nd\n3rd\n"), 0o600); err != nil { // in place, same inode
		t.Fatal(err)
	}
	run(t, log.follow(sink))
	sink.await(t, "one", "1st", "2nd", "3rd")
}

func TestFollowsAPatternAcrossRenames(t *testing.T) {
	folder, sink := t.TempDir(), &fakeSink{}
	a := logFile{t, filepath.Join(folder, "a.log")}
	a.append("a1\n")
	options := FollowOptions{Path: filepath.Join(folder, "*.log*"), Poll: time.Millisecond, Grace: 20 * time.Millisecond}
	stop := run(t, NewFollow(options, sink, zerolog.Nop()))
	sink.await(t, "a1")
	moved := logFile{t, a.rename("a.log.1")}
	moved.append("a2\n")
	sink.await(t, "a1", "a2")
	stop()
	moved.rename("b.log.2")
	a.append("new\n")
	stop = run(t, NewFollow(options, sink, zerolog.Nop()))
	sink.await(t, "a1", "a2", "new")
	stop()
	if len(sink.places) != 2 {
		t.Errorf("remembers %v", sink.places)
	}
}

func TestTaggedLinesCountOn(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	log.append("a\nb\n")
	options := FollowOptions{Path: log.path, Tagged: true, Poll: time.Millisecond}
	stop := run(t, NewFollow(options, sink, zerolog.Nop()))
	line := func(n int, text string) string {
		return fmt.Sprintf(`{"file":%q,"line":%d,"text":%q}`, log.path, n, text)
	}
	sink.await(t, line(1, "a"), line(2, "b"))
	stop()
	log.append("c\n")
	run(t, NewFollow(options, sink, zerolog.Nop()))
	sink.await(t, line(1, "a"), line(2, "b"), line(3, "c"))
}

// Every line arrives once and in order though the input is stopped in the middle of its batches again and again.
func TestNothingLostOrRepeatedAcrossStops(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	var text strings.Builder
	var want []string
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		l := fmt.Sprint(i, strings.Repeat("x", random.IntN(300)))
		want = append(want, l)
		text.WriteString(l + "\n")
	}
	log.append(text.String())
	for len(sink.all()) < 4000 {
		ctx, cancel := context.WithCancel(t.Context())
		sink.mu.Lock()
		sink.cancel, sink.stopAt, sink.refuse = cancel, len(sink.messages)+1+random.IntN(700), random.IntN(2)
		sink.mu.Unlock()
		if err := log.follow(sink).Run(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	run(t, log.follow(sink))
	sink.await(t, want...)
}

func TestLongLineInAFile(t *testing.T) {
	log, sink := newLog(t), &fakeSink{}
	log.append(strings.Repeat("x", maxLine+10) + "\nnext\n")
	run(t, log.follow(sink))
	sink.await(t, strings.Repeat("x", maxLine), strings.Repeat("x", 10), "next")
}

func TestARenamedFileIsReadUntilItIsReplacedOrGone(t *testing.T) {
	log := newLog(t)
	log.append("one\n")
	file, info, err := openRegular(log.path)
	if err != nil {
		t.Fatal(err)
	}
	f := log.follow(&fakeSink{}).(*follow)
	tail := newTail(f, log.path, file, place{identity: identityOf(info), Offset: 4, Line: 1})
	defer tail.close()
	old := log.rename("app.log.1")
	f.tails = append(f.tails, tail)
	tail.moved = time.Now().Add(-time.Hour)
	if moved, err := tail.atEnd(t.Context()); moved || err != nil || tail.file == nil {
		t.Errorf("renamed only: moved %v, %v", moved, err)
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	tail.moved = time.Now().Add(-time.Hour)
	if moved, err := tail.atEnd(t.Context()); !moved || err != nil || tail.file != nil {
		t.Errorf("removed: moved %v, %v", moved, err)
	}
}
