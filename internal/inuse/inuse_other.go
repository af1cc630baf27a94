//go:build !windows

package inuse

import (
	"io/fs"
	"os"
)

// refused is always false: what is open can be renamed and removed.
func refused(error) bool { return false }

func blame(_ []string, err error) error { return err }

func rename(from, to string) error { return os.Rename(from, to) }

func open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag, mode)
}
