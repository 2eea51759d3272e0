//go:build !unix

package child

import "errors"

// CanPause tells whether Pause works on this system.
const CanPause = false

// Pause is not possible here.
func (c *Child) Pause() error { return errors.ErrUnsupported }

// Resume is not possible here.
func (c *Child) Resume() error { return errors.ErrUnsupported }
