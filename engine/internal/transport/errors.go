package transport

import "errors"

// The errors of connections; every error they return wraps one of these or comes from the library below.
var (
	// ErrDisconnected means there is no connection now; the message is lost.
	ErrDisconnected = errors.New("not connected")
	// ErrTooLarge means a message is above what the server takes.
	ErrTooLarge = errors.New("message above the server's maximum payload")
	// ErrClosed means Close was called.
	ErrClosed = errors.New("connection closed")
	// ErrStarted means Start was called before.
	ErrStarted = errors.New("connection already started")
	// ErrServer means a server address cannot be used.
	ErrServer = errors.New("bad server address")
)
