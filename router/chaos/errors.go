package chaos

import "errors"

var (
	// ErrBroken means that a promise was broken; the report says which.
	ErrBroken = errors.New("a promise was broken")
	// ErrFolder means that the folder for the network cannot be used.
	ErrFolder = errors.New("the folder must be empty, or not there yet")
)
