package connect

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// reopenCheck is how often an output looks whether its file was moved away.
const reopenCheck = time.Second

// appendFile appends lines to a file.
type appendFile struct {
	mu      sync.Mutex
	path    string
	format  Format
	sync    bool
	file    *os.File
	torn    bool // the file ends in the middle of a line
	checked time.Time
}

// NewAppendFile opens or creates a file to append to; its folder is created. With sync, a line is on the disk before Write returns.
// When the file is moved away, the next line begins a new one.
func NewAppendFile(path string, format Format, sync bool) (Output, error) {
	a := &appendFile{path: path, format: format, sync: sync}
	if err := a.open(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *appendFile) open() error {
	folder := filepath.Dir(a.path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	torn, err := endsInLine(file)
	if err == nil && a.sync {
		err = syncFolder(folder)
	}
	if err != nil {
		file.Close()
		return err
	}
	a.file, a.torn, a.checked = file, torn, time.Now()
	return nil
}

// endsInLine says whether a file's last byte is not a line feed, as after a power cut in the middle of a write.
func endsInLine(file *os.File) (bool, error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 || !info.Mode().IsRegular() {
		return false, err
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func (a *appendFile) Write(r *Record) error {
	data := a.format.render(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.ready(); err != nil {
		return err
	}
	if a.torn {
		data = append([]byte{'\n'}, data...)
	}
	if n, err := a.file.Write(data); err != nil {
		a.undo(n)
		return fmt.Errorf("append to %s: %w", a.path, err)
	}
	a.torn = false
	if a.sync {
		if err := a.file.Sync(); err != nil {
			// What a failed sync left behind is not known: a new descriptor is the only one to trust.
			a.file.Close()
			a.file = nil
			return fmt.Errorf("sync %s: %w", a.path, err)
		}
	}
	return nil
}

// undo takes the n bytes of a failed write off the end again, or remembers that they are there.
func (a *appendFile) undo(n int) {
	if n == 0 {
		return
	}
	if info, err := a.file.Stat(); err == nil && a.file.Truncate(info.Size()-int64(n)) == nil {
		return
	}
	a.torn = true
}

// ready opens the file if it is not open, or not there any more.
func (a *appendFile) ready() error {
	if a.file != nil && time.Since(a.checked) < reopenCheck {
		return nil
	}
	if a.file != nil {
		a.checked = time.Now()
		own, err := a.file.Stat()
		there, errThere := os.Stat(a.path)
		if err == nil && errThere == nil && os.SameFile(own, there) {
			return nil
		}
		a.file.Close()
		a.file = nil
	}
	return a.open()
}

func (a *appendFile) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	file := a.file
	a.file = nil
	return file.Close()
}
