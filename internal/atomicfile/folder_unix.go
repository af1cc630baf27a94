//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// syncFolder: some network and FUSE file systems have nothing to wait for, and say so.
func syncFolder(folder *os.File) error {
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
