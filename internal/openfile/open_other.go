//go:build !linux

package openfile

import (
	"io/fs"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

// open looks before it opens, and once more after.
func open(path string, flags int) (*os.File, error) {
	look := os.Stat
	if flags&noFollow != 0 {
		look = os.Lstat
	}
	info, err := look(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	file, err := inuse.Open(path, os.O_RDONLY|noWait|flags&openFlags, 0)
	if err != nil {
		return nil, err
	}
	return regular(file, path)
}
