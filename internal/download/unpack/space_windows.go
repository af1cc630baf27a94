package unpack

import (
	"errors"

	"golang.org/x/sys/windows"
)

// full tells whether an error means that a disk, or the share of it that the
// account may use, is full.
func full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
