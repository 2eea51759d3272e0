//go:build !linux

package store

import "errors"

func immutable(string, bool) error { return errors.ErrUnsupported }
