package volume

import (
	"errors"
	"slices"
)

// IsFull tells whether an error means that a file system, or the share of it that the account may use, has no room left.
func IsFull(err error) bool {
	return slices.ContainsFunc(Full(), func(full error) bool { return errors.Is(err, full) })
}
