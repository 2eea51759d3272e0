package connect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The faults of a path that can be seen without creating anything.
var (
	ErrFolder    = errors.New("is a folder")
	ErrNoFolder  = errors.New("its folder cannot be created")
	ErrNoWriting = errors.New("it cannot be written")
)

// LookAtOutput says whether NewAppendFile is bound to fail for this path, as far as can be seen without creating anything.
func LookAtOutput(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir(), path != "" && os.IsPathSeparator(path[len(path)-1]):
		return fmt.Errorf("%s: %w", path, ErrFolder)
	case err == nil && !info.Mode().IsRegular(): // opening a pipe would wait
		return nil
	case err == nil:
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNoWriting, err)
		}
		return file.Close()
	}
	folder := filepath.Dir(path)
	for {
		info, err := os.Stat(folder)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%w: %s is a file", ErrNoFolder, folder)
		case err == nil && !writable(folder, info):
			return fmt.Errorf("%w: no permission to create anything in %s", ErrNoWriting, folder)
		case err == nil:
			return nil
		case !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder):
			return fmt.Errorf("%w: %w", ErrNoFolder, err)
		}
		folder = filepath.Dir(folder)
	}
}

// LookAtInput says whether a followed path can never be a file. One that is not there yet may come.
func LookAtInput(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s: %w", path, ErrFolder)
	}
	return nil
}
