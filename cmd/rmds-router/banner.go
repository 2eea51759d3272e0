package main

import (
	"io"
	"sync"
)

// held keeps what is logged while a router starts, so that the first lines say where everything is.
type held struct {
	mu     sync.Mutex
	out    io.Writer
	buffer []byte
	open   bool
}

func (h *held) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return h.out.Write(p)
	}
	h.buffer = append(h.buffer, p...)
	return len(p), nil
}

// release writes what was kept and lets everything through from now on.
func (h *held) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = true
	h.out.Write(h.buffer) //nolint:errcheck // a log has nobody to tell
	h.buffer = nil
}
