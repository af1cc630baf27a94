//go:build !windows

package unpack

import (
	"errors"
	"syscall"
)

// full tells whether an error means that a disk, or the share of it that the
// account may use, is full.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
