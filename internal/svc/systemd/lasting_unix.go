//go:build unix

package systemd

import (
	"fmt"
	"os"
	"syscall"
)

// streamOf names what a file is, as JOURNAL_STREAM does: device and inode.
func streamOf(file *os.File) string {
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
