package places

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

// unnamed tells whether the file system can make a file without a name. Where that cannot be told, it says yes.
func unnamed(dir string) bool {
	file, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return !errors.Is(err, unix.EOPNOTSUPP)
	}
	_ = file.Close() // nothing was written
	return true
}

// Of statvfs(3): ST_NOEXEC and ST_NOSUID.
const (
	noExecFlag   = unix.MS_NOEXEC
	noSetuidFlag = unix.MS_NOSUID
)

// plainName names a file system that is too simple, by its number in statfs(2).
func plainName(stat *unix.Statfs_t) string {
	const exFAT = 0x2011bab0
	switch int64(stat.Type) { //nolint:unconvert // types differ by platform
	case unix.MSDOS_SUPER_MAGIC:
		return "FAT"
	case exFAT:
		return "exFAT"
	}
	return ""
}
