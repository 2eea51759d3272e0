package router

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/getevo/rmds-router/engine"
	"github.com/getevo/rmds-router/router/config"
)

func TestBlameHasNoEmptyEnd(t *testing.T) {
	for said, want := range map[string]string{"": "plugin p: it gave no reason", "full": "plugin p: full"} {
		if got := blame("p", said); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

func TestEveryStorageErrorHasItsOwnWayOut(t *testing.T) {
	r := &Router{config: config.Default()}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("open store x: %w: file is not a database", engine.ErrNotDatabase), "storage.path: open store x: not a database of this program: file is not a database: that file is something else"},
		{fmt.Errorf("open store x: %w: disk I/O error", engine.ErrCorrupt), "start from a backup"},
		{fmt.Errorf("open store x: %w", syscall.EISDIR), "name a file in that folder"},
		{fmt.Errorf("mkdir x: %w", syscall.ENOTDIR), "a part of the path is a file"},
		{fmt.Errorf("folder x: %w", engine.ErrNotWritable), "make sure that this user may write there"},
		{fmt.Errorf("open x: %w", fs.ErrPermission), "make sure that this user may write there"},
		{fmt.Errorf("%w: open x", engine.ErrStorageFull), "storage.max_size: storage is full: open x: make room on the disk, or raise storage.max_size"},
		{errors.New("disk I/O error"), "look at the disk"},
	} {
		got := r.engineProblem(c.err)
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v: got %v, want %s", c.err, got, c.want)
		}
	}
}
