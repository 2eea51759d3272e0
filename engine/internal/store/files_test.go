package store

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestFilesAreTheOwners holds that nobody else on the machine may read what passes through a node.
func TestFilesAreTheOwners(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions of another kind")
	}
	s := fileStore(t)
	send(t, s, messages("a", 1))
	files, err := filepath.Glob(s.opt.Path + "*")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}
