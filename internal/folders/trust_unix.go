//go:build unix

package folders

import (
	"io/fs"
	"os"
	"syscall"
)

// powerful tells whether modes do not keep us out.
func powerful() bool { return os.Geteuid() == 0 }

// unchangeable tells whether only root and we can change what is in a folder.
func unchangeable(folder fs.FileInfo) bool {
	const others = 0o022
	stat, ok := folder.Sys().(*syscall.Stat_t)
	return ok && folder.IsDir() && folder.Mode()&others == 0 && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
}
