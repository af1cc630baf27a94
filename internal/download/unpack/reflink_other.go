//go:build !linux

package unpack

import "errors"

// reflink is not done here: the bytes are copied.
func reflink(_, _ *file) error { return errors.ErrUnsupported }
