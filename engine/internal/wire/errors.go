package wire

import "errors"

// The errors of this package; every error it returns wraps one of them.
var (
	// ErrShort means the bytes end before the fixed part that every version has.
	ErrShort = errors.New("too short")
	// ErrChecksum means the bytes are not the ones that were sent or stored: asking again can help.
	ErrChecksum = errors.New("wrong checksum")
	// ErrVersion means intact bytes of a version, or with a flag, that this program does not read. Asking again cannot help.
	ErrVersion = errors.New("unknown version")
	// ErrKind means an intact frame of another kind than was asked for.
	ErrKind = errors.New("unexpected kind of frame")
	// ErrMalformed means the bytes are intact, but no correct encoder makes them.
	ErrMalformed = errors.New("malformed")
	// ErrLimit means a message is larger than the format permits. Nothing was appended.
	ErrLimit = errors.New("above a limit of the format")
	// ErrSubjects means a prefix or subject token cannot be used.
	ErrSubjects = errors.New("bad subject prefix or token")
	// ErrMessageID means a text is not a message id.
	ErrMessageID = errors.New("not a message id")
)
