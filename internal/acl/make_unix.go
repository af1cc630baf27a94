//go:build unix

package acl

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// MakePrivate makes a folder that only the account of this process, root and, on Windows, administrators reach.
// [fs.ErrExist] if anything bears that name.
func MakePrivate(path string) error { return os.Mkdir(path, 0o700) }

// KeepPrivate is [MakePrivate], and a folder that is there is as good. On Windows it is closed where it is open, and the
// error matches [ErrOpen] where that does not make it safe.
func KeepPrivate(path string) error {
	if err := os.Mkdir(path, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// KeepPublic makes a folder, and those above it that are not there, which everybody of this host may read. One that is
// there is as good; on Windows as [KeepPrivate] has it.
func KeepPublic(path string) error {
	return os.MkdirAll(path, 0o755) //nolint:gosec // that is what it is for
}

// RootOwns tells whether what is at a path, a link itself and not what it leads to, belongs to root; on Windows, to those who
// administer the host or to the account of this process.
func RootOwns(_ string, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0
}
