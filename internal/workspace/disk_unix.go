//go:build unix

package workspace

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// device returns the file system that something is on.
func device(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev) //nolint:gosec,unconvert // types differ by platform, and it is only compared
	}
	return 0
}

// onDisk returns the bytes that something takes, which are neither its size nor
// those of what is below it.
func onDisk(info fs.FileInfo) int64 {
	const block = 512 // on every system, whatever the file system's are
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * block
	}
	return info.Size()
}

// links returns how many names a file has.
func links(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink > 1 {
		return int64(stat.Nlink) //nolint:gosec,unconvert // types differ by platform
	}
	return 1
}

// busy tells whether something cannot be removed for being in use, as the places
// are where something is mounted.
func busy(err error) bool { return errors.Is(err, syscall.EBUSY) }

// number tells a folder from all others of its file system.
func number(_ *os.Root, info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino) //nolint:unconvert // types differ by platform
	}
	return 0
}
