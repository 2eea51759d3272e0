package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	redactref "github.com/getevo/rmds-router/examples/plugins/redact/reference"
)

// source is the lines to send, one JSON object each: {"file","line","text"}. The same Go distribution always gives the same ones.
type source struct {
	folder string
	lines  [][]byte // with line feeds
	size   int64
	kept   int64 // lines that the filter lets pass
}

func (s *source) count() int { return len(s.lines) }

type tagged struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// gather reads the sources of Go's standard library in the order of their names until there are enough lines; the last file is
// not cut short.
func gather(ctx context.Context, enough int) (*source, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask for Go's folder: %w", err)
	}
	s := &source{folder: filepath.Join(strings.TrimSpace(string(out)), "src")}
	err = filepath.WalkDir(s.folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case s.count() >= enough:
			return fs.SkipAll
		case entry.IsDir() && slices.Contains([]string{"cmd", "testdata", "vendor"}, entry.Name()):
			return fs.SkipDir
		case !entry.Type().IsRegular() || filepath.Ext(path) != ".go":
			return nil
		}
		return s.add(path)
	})
	if err == nil && s.count() < enough {
		err = fmt.Errorf("%s has only %d lines of Go; -lines takes less", s.folder, s.count())
	}
	if err != nil {
		return nil, fmt.Errorf("gather lines: %w", err)
	}
	return s, nil
}

func (s *source) add(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(s.folder, path)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for number := 1; lines.Scan(); number++ {
		line, err := json.Marshal(tagged{File: filepath.ToSlash(name), Line: number, Text: lines.Text()})
		if err != nil {
			return err
		}
		if _, drop := redactref.Apply(line); !drop {
			s.kept++
		}
		s.lines = append(s.lines, append(line, '\n'))
		s.size += int64(len(line)) + 1
	}
	return lines.Err()
}

// write appends the lines from..to, in one write.
func (s *source) write(file *os.File, from, to int) error {
	_, err := file.Write(bytes.Join(s.lines[from:to], nil))
	return err
}
