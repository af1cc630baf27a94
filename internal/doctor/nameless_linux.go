package doctor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nameless makes a file that vanishes when it is closed. Network file systems cannot; there it has a name for a moment.
func nameless(dir string) (*os.File, error) {
	file, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return briefly(dir)
	}
	return file, err
}
