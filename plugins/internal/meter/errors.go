package meter

import (
	"errors"
	"fmt"
)

// Why a module is refused. Match with errors.Is; the text says what is wrong and where.
var (
	// ErrNotWasm means the bytes are not a core WebAssembly module of version 1.
	ErrNotWasm = errors.New("is not a WebAssembly module")
	// ErrMalformed means the bytes cannot be decoded, or refer to something that the module does not define.
	ErrMalformed = errors.New("is malformed")
	// ErrBounds means a part of the module is above one of the bounds.
	ErrBounds = errors.New("is out of bounds")
	// ErrUnsupported means the module uses what guests may not use, or what the engine does not have.
	ErrUnsupported = errors.New("uses what the host does not support")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

// bound is an error if n is above most.
func bound(what string, n, most uint64) error {
	if n > most {
		return fmt.Errorf("%w: %d %s, at most %d", ErrBounds, n, what, most)
	}
	return nil
}
