package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/getevo/rmds-router/engine/internal/crashvfs"
)

// bobs is the path of a database of node bob, with two messages, and where rob's would be.
func bobs(t *testing.T, clean bool) (from, to string) {
	from, to = filepath.Join(t.TempDir(), "bob", "x.db"), filepath.Join(t.TempDir(), "rob", "x.db")
	o := plain(from)
	o.NodeID = "bob"
	s := mustOpen(t, o)
	send(t, s, messages("a", 2))
	if clean {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.Abort()
	return from, to
}

func rename(from, to string, done func() error) (string, error) {
	return Rename(plain(from), Renaming{Before: "bob", After: "rob", Path: to, Done: done})
}

// isRobs checks that the database is rob's and whole, and that nobody can start as bob by accident.
func isRobs(t *testing.T, from, to string) {
	t.Helper()
	o := plain(to)
	o.NodeID = "rob"
	s := mustOpen(t, o)
	if h, _ := s.Head("a"); h.Total != 2 || s.NodeID() != "rob" {
		t.Errorf("node %s has %d messages", s.NodeID(), h.Total)
	}
	s.Abort()
	o = plain(from)
	o.NodeID = "bob"
	if s, err := Open(o); err == nil {
		s.Abort()
		t.Error("the old id opens a database")
	} else if want := map[bool]error{true: ErrNodeID, false: ErrRenamed}[from == to]; !errors.Is(err, want) {
		t.Errorf("the old id: %v", err)
	}
}

func TestRename(t *testing.T) {
	for name, clean := range map[string]bool{"after a shutdown in order": true, "after a crash": false} {
		t.Run(name, func(t *testing.T) {
			from, to := bobs(t, clean)
			told := 0
			if before, err := rename(from, to, func() error { told++; return nil }); err != nil || before != "bob" || told != 1 {
				t.Fatal(before, err, told)
			}
			isRobs(t, from, to)
			if names, _ := filepath.Glob(filepath.Join(filepath.Dir(from), "*")); !slices.Equal(names, []string{from + leftMark}) {
				t.Errorf("left behind: %v", names)
			}
			// And back, to where the mark of the first rename lies.
			if _, err := Rename(plain(to), Renaming{Before: "rob", After: "bob", Path: from}); err != nil {
				t.Fatal(err)
			}
			isNode(t, from, "bob")
		})
	}
}

func isNode(t *testing.T, path, id string) {
	t.Helper()
	o := plain(path)
	o.NodeID = ""
	s := mustOpen(t, o)
	if h, _ := s.Head("a"); s.NodeID() != id || h.Total != 2 {
		t.Errorf("node %q with %d messages, want %q with 2", s.NodeID(), h.Total, id)
	}
	s.Abort()
}

func TestRenameInPlace(t *testing.T) {
	from, _ := bobs(t, false)
	if before, err := Rename(plain(from), Renaming{After: "rob"}); err != nil || before != "bob" {
		t.Fatal(before, err)
	}
	isRobs(t, from, from)
}

func TestRenameOnAnotherVFS(t *testing.T) {
	d := crashvfs.New(1)
	defer d.Close()
	s := mustOpen(t, onDisk(d))
	send(t, s, messages("a", 2))
	s.Abort()
	if before, err := Rename(onDisk(d), Renaming{After: "rob"}); err != nil || before != "node-1" {
		t.Fatal(before, err)
	}
	d2 := d.PowerCut()
	defer d2.Close()
	o := onDisk(d2)
	o.NodeID = "rob"
	if h, _ := mustOpen(t, o).Head("a"); h.Total != 2 {
		t.Fatal(h)
	}
}

// TestARenameThatWasCutOffGoesOn: wherever it ends, nothing opens at either path until it is repeated, and then it is complete.
func TestARenameThatWasCutOffGoesOn(t *testing.T) {
	mark := func(path, id string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(id+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, cut := range map[string]func(from, to string){
		"after the first mark": func(_, to string) { mark(to+comingMark, "bob") },
		"after both marks":     func(from, to string) { mark(to+comingMark, "bob"); mark(from+leftMark, "rob") },
		"an empty mark":        func(from, to string) { mark(to+comingMark, "bob"); mark(from+leftMark, "") },
		"after the id": func(from, to string) {
			if _, err := Rename(plain(from), Renaming{After: "rob"}); err != nil {
				t.Fatal(err)
			}
			mark(to+comingMark, "bob")
			mark(from+leftMark, "rob")
		},
		"after the move": func(from, to string) {
			if _, err := rename(from, to, nil); err != nil {
				t.Fatal(err)
			}
			mark(to+comingMark, "bob")
		},
		"for want of what follows": func(from, to string) {
			if _, err := rename(from, to, func() error { return errors.New("no") }); err == nil {
				t.Fatal("no error")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := bobs(t, false)
			cut(from, to)
			for _, o := range []Options{{Path: to, NodeID: "rob"}, {Path: from, NodeID: "bob"}} {
				o.Seal = sealPlain
				if s, err := Open(o); err == nil && (o.NodeID == "rob" || exists(from+leftMark)) {
					t.Errorf("node %s opens", o.NodeID)
					s.Abort()
				} else if err == nil {
					s.Abort()
				} else if !errors.Is(err, ErrRenamed) {
					t.Errorf("node %s: %v", o.NodeID, err)
				}
			}
			told := 0
			if _, err := rename(from, to, func() error { told++; return nil }); err != nil || told != 1 {
				t.Fatal(err, told)
			}
			isRobs(t, from, to)
		})
	}
}

func TestRenameRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, from, to string)
		want    error
		text    string
	}{
		{"a path that is taken", func(t *testing.T, _, to string) { mustOpen(t, plain(to)).Abort() }, ErrTaken, "exists"},
		{"another's unfinished rename", func(t *testing.T, _, to string) {
			if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to+comingMark, []byte("ted"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}, ErrTaken, "ted"},
		{"a running node", func(t *testing.T, from, _ string) {
			o := plain(from)
			o.NodeID = "bob"
			mustOpen(t, o)
		}, ErrInUse, ""},
		{"no database", func(t *testing.T, from, _ string) { _ = os.Remove(from) }, fs.ErrNotExist, ""},
		{"another node's", func(t *testing.T, from, _ string) {
			if _, err := Rename(plain(from), Renaming{After: "carol"}); err != nil {
				t.Fatal(err)
			}
		}, ErrNodeID, `"carol"`},
		{"something else", func(t *testing.T, from, _ string) {
			if err := os.WriteFile(from, []byte(strings.Repeat("text", 9999)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrNotDatabase, ""},
		{"a path that cannot be", func(t *testing.T, _, to string) {
			if err := os.WriteFile(filepath.Dir(to), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, syscall.ENOTDIR, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := bobs(t, true)
			c.prepare(t, from, to)
			told := false
			_, err := rename(from, to, func() error { told = true; return nil })
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || told {
				t.Fatalf("%v, told %v; want %v, %q", err, told, c.want, c.text)
			}
			if exists(from + leftMark) {
				t.Error("the old path is closed")
			}
		})
	}
}

func TestReadersGoOnUnderAnotherName(t *testing.T) {
	s, reopen := newStore(t)
	for channel, join := range map[string]uint64{"a": 1, "b": 2} {
		send(t, s, messages(channel, 3))
		do(t, s, Tx{Readers: []ReaderChange{{Add: &AddReader{Store: id(1), Node: "bob", Channel: channel, Join: join, Start: StartAll}}}})
	}
	do(t, s, Tx{Readers: []ReaderChange{{Add: &AddReader{Store: id(2), Node: "carol", Channel: "a", Join: 1, Start: StartHead}}}})
	do(t, s, Tx{Readers: []ReaderChange{{Name: &NameReader{Store: id(1), Node: "rob"}}}})
	s = both(s, reopen, func(s *Store) {
		for _, r := range s.Readers() {
			head, _ := s.Head(r.Channel)
			if want := map[ID]string{id(1): "rob", id(2): "carol"}[r.Store]; r.Node != want || r.Ended || r.Store == id(1) && r.Pending(head) != 3 {
				t.Errorf("reader %+v, want node %s", r, want)
			}
		}
	})
}
