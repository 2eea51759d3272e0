package screen

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const start = "\x00asm\x01\x00\x00\x00"

func TestModule(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        error
		goGuest     bool
	}{
		{"nothing in it", start, nil, false},
		{"go", start + "\x00\x0b\x0ago:buildid", nil, true},
		{"another custom section", start + "\x00\x0b\x0ago:builder", nil, false},
		{"not wasm", "hello, world", ErrNotWasm, false},
		{"version 2", "\x00asm\x02\x00\x00\x00", ErrNotWasm, false},
		{"component", "\x00asm\x0d\x00\x01\x00", ErrComponent, false},
		{"short", "\x00asm", ErrNotWasm, false},
		{"cut", start + "\x0a\x05\x01", errCut, false},
		{"endless number", start + "\x0a\xff\xff\xff\xff\xff\xff", errCut, false},
		{"number above u32", start + "\x0a\xff\xff\xff\xff\x7f", errCut, false},
		{"table", start + "\x04\x04\x01\x70\x00\x01", nil, false},
		{"table with a limit", start + "\x04\x05\x01\x70\x01\x01\x02", nil, false},
		{"huge table", start + "\x04\x08\x01\x70\x00\xff\xff\xff\xff\x0f", ErrBounds, false},
		{"tables, together huge", start + "\x04\x0b\x02\x70\x00\xf0\xa2\x04\x70\x00\xf0\xa2\x04", ErrBounds, false},
		{"cut table", start + "\x04\x02\x01\x70", errCut, false},
		{"function", start + "\x0a\x06\x01\x04\x01\x02\x7f\x0b", nil, false},
		{"locals in groups", start + "\x0a\x0a\x01\x08\x02\xe8\x07\x7f\xe9\x07\x7e\x0b", ErrBounds, false},
		{"just enough locals", start + "\x0a\x0a\x01\x08\x02\xe8\x07\x7f\xe8\x07\x7e\x0b", nil, false},
		{"many functions", start + "\x0a\x03\xd1\x86\x03", ErrBounds, false},
		{"cut function", start + "\x0a\x02\x01\x04", errCut, false},
		{"cut locals", start + "\x0a\x03\x01\x01\x02", errCut, false},
	} {
		info, err := Module([]byte(c.bytes))
		if !errors.Is(err, c.want) || info.GoGuest != c.goGuest {
			t.Errorf("%s: %v, %+v; want %v", c.name, err, info, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	if _, err := Module(make([]byte, MaxModule+1)); !errors.Is(err, ErrBounds) {
		t.Errorf("a huge module: %v", err)
	}
	body := append([]byte(start+"\x0a\x85\x80\x10\x01\x81\x80\x10\x00"), make([]byte, MaxFunctionBody)...)
	if _, err := Module(body); !errors.Is(err, ErrBounds) {
		t.Errorf("a huge function: %v", err)
	}
}

func FuzzModule(f *testing.F) {
	files, err := filepath.Glob("../../testdata/*.wasm")
	if err != nil || len(files) == 0 {
		f.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := Module(b); err != nil {
			f.Errorf("%s: %v", file, err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := Module(b)
		if err != nil && !errors.Is(err, ErrNotWasm) && !errors.Is(err, ErrComponent) && !errors.Is(err, ErrBounds) && !errors.Is(err, errCut) {
			t.Error(err)
		}
	})
}
