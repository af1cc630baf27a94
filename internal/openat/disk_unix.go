//go:build unix && !linux

package openat

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// onDisk returns the bytes that something takes on the disk, and how many names it has.
func onDisk(info fs.FileInfo) (bytes, links int64) {
	const block = 512 // whatever the file system's are
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * block, int64(stat.Nlink) //nolint:gosec,unconvert // types differ by platform
	}
	return info.Size(), 1
}

// deviceOf returns the file system that something is on.
func deviceOf(info fs.FileInfo) (device uint64, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true //nolint:gosec,unconvert // types differ by platform, and it is only compared
}

// InUse tells whether something cannot be removed for being in use, as the places are where something is mounted.
func InUse(err error) bool { return errors.Is(err, syscall.EBUSY) }

// Loosen lets the owner of a directory into it, if the owner is who calls this. Root needs no such thing, and does
// nothing. A failure shows up when the directory is entered.
func (d *Dir) Loosen(name string) {
	const all = 0o700
	if os.Geteuid() <= 0 {
		return
	}
	if info, err := d.root.Lstat(name); err == nil && info.IsDir() && info.Mode()&all != all {
		_ = d.root.Chmod(name, info.Mode()|all)
	}
}

// insistent is false: what root may not touch, it may not remove.
func insistent() bool { return false }

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST)
}
