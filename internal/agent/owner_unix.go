//go:build unix

package agent

import (
	"io/fs"
	"syscall"
)

// rootOwns tells whether something belongs to root.
func rootOwns(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0
}
