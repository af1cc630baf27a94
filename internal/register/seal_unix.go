//go:build unix

package register

import (
	"io/fs"
	"syscall"
)

// ownedByRoot tells whether something belongs to root.
func ownedByRoot(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0
}
