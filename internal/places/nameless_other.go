//go:build unix && !linux

package places

import (
	"os"

	"golang.org/x/sys/unix"
)

func nameless(dir string) (*os.File, error) { return briefly(dir) }

// unnamed tells whether the file system can make a file without a name.
func unnamed(string) bool { return false }

const (
	noExecFlag   = unix.MNT_NOEXEC
	noSetuidFlag = unix.MNT_NOSUID
)

// plainName leaves it to the trial of a link.
func plainName(*unix.Statfs_t) string { return "" }
