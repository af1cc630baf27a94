package runnerdir

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange lets two directories change places at once: at no moment is one of
// them missing.
func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return exchangeByThree(a, b) // a file system, or a kernel, that cannot
	}
	return err
}
