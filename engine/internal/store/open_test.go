package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// listing names everything below a folder.
func listing(t testing.TB, folder string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(path, folder))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func sql(t testing.TB, path, text string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(text); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	closed := func(t *testing.T, path string) {
		s := mustOpen(t, plain(path))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write := func(t *testing.T, path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		change  func(*Options)
		want    error
		hint    string
	}{
		{"newer", func(t *testing.T, path string) { closed(t, path); sql(t, path, "PRAGMA user_version=99") }, nil, ErrNewer, "99"},
		{"another node", closed, func(o *Options) { o.NodeID = "node-2" }, ErrNodeID, `"node-1"`},
		{"new without a node", nil, func(o *Options) { o.NodeID = "" }, ErrNodeID, ""},
		{"not a database", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("text"), 9999)) }, nil, ErrNotDatabase, ""},
		{"another program's", func(t *testing.T, path string) { sql(t, path, "CREATE TABLE t(a)") }, nil, ErrNotDatabase, ""},
		{"another program's, with a version", func(t *testing.T, path string) { sql(t, path, "PRAGMA user_version=1; CREATE TABLE t(a)") }, nil, ErrNotDatabase, ""},
		{"a folder in its place", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, nil, ErrNotWritable, ""},
		{"a file where the folder should be", func(t *testing.T, path string) { write(t, filepath.Dir(path)+"/file", nil) },
			func(o *Options) { o.Path = filepath.Dir(o.Path) + "/file/deep/db" }, ErrNotWritable, "/file"},
		{"damaged", func(t *testing.T, path string) {
			closed(t, path)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			noise := rand.NewChaCha8([32]byte{})
			_, _ = noise.Read(content[200 : 4*pageSize])
			write(t, path, content)
		}, nil, ErrCorrupt, ""},
		{"cut off", func(t *testing.T, path string) {
			closed(t, path)
			if err := os.Truncate(path, pageSize); err != nil {
				t.Fatal(err)
			}
		}, nil, ErrCorrupt, ""},
		{"bad sync", nil, func(o *Options) { o.Sync = "off" }, ErrInvalid, "off"},
		{"no codec", nil, func(o *Options) { o.Seal = nil }, ErrInvalid, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			o := plain(filepath.Join(folder, "db"))
			if c.prepare != nil {
				c.prepare(t, o.Path)
			}
			if c.change != nil {
				c.change(&o)
			}
			before := listing(t, folder)
			s, err := Open(o)
			if s != nil {
				s.Abort()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.hint) {
				t.Fatalf("got %v", err)
			}
			if after := listing(t, folder); after != before {
				t.Fatalf("left behind: %s, before: %s", after, before)
			}
		})
	}
}

func TestNewFolderIsRemovedAgain(t *testing.T) {
	folder := t.TempDir()
	o := plain(filepath.Join(folder, "a", "b", "db"))
	o.NodeID = ""
	if _, err := Open(o); !errors.Is(err, ErrNodeID) {
		t.Fatal(err)
	}
	if left := listing(t, folder); left != "" {
		t.Fatal(left)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(plain(filepath.Join(folder, "db"))); !errors.Is(err, ErrNotWritable) || !strings.Contains(err.Error(), folder) {
		t.Fatal(err)
	}
}

func TestSecondOpener(t *testing.T) {
	o := plain(filepath.Join(t.TempDir(), "db"))
	s := mustOpen(t, o)
	if _, err := Open(o); !errors.Is(err, ErrInUse) {
		t.Fatal(err)
	}
	send(t, s, messages("a", 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, o)
	s.Abort()
	mustOpen(t, o)
}

func TestIdentity(t *testing.T) {
	o := plain(filepath.Join(t.TempDir(), "db"))
	s := mustOpen(t, o)
	first, run := s.ID(), s.Run()
	if first == (ID{}) || run == (ID{}) || first == run || s.NodeID() != "node-1" || !s.WasClean() {
		t.Fatal(first, run, s.NodeID(), s.WasClean())
	}
	s.Abort()
	o.NodeID = ""
	s = mustOpen(t, o)
	if s.ID() != first || s.Run() == run || s.NodeID() != "node-1" || s.WasClean() {
		t.Fatal(s.ID(), s.Run(), s.NodeID(), s.WasClean())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s = mustOpen(t, o); !s.WasClean() {
		t.Fatal("not clean after Close")
	}
}

func TestSettingsOfTheFile(t *testing.T) {
	s := fileStore(t)
	for name, want := range map[string]int64{"page_size": pageSize, "checksum_verification": 1, "synchronous": 2, "application_id": applicationID, "user_version": int64(len(migrations))} {
		if n, err := pragma(s.w.raw, "PRAGMA "+name); n != want || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if info, err := os.Stat(s.files.path + ".reserve"); err != nil || info.Size() != DefaultReserve {
		t.Error(info, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.files.path + "-wal"); err != nil {
		t.Error("the write-ahead log's name did not stay:", err)
	}
}
