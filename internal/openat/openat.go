// Package openat reaches files from an open directory, by one name at a time: as openat(2) and its kin do it on Linux, as
// [os.Root] does it elsewhere. A tree that somebody else writes to cannot lead it out.
package openat

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// Status is what the file system tells about a file.
type Status struct {
	Mode     fs.FileMode
	Size     int64
	Modified time.Time
	Disk     int64 // bytes that it takes on the disk, without what is below it; its size where that is not told
	Links    int64 // how many names it has; 1 where that is not told

	// What only Linux is asked for, and zero elsewhere.
	Inode   uint64
	Changed int64 // when it was last changed, content or not (ctime), in nanoseconds
	UID     int
}

// Name is what a directory has: a name, and the type of what bears it.
type Name struct {
	Name string
	Type fs.FileMode
}

// oneName refuses what is no name.
func oneName(name string) error {
	if name == "" || name == "." || name == ".." || strings.IndexByte(name, '/') >= 0 || strings.IndexByte(name, os.PathSeparator) >= 0 {
		return fmt.Errorf("%q is no name in a directory: %w", name, syscall.EINVAL)
	}
	return nil
}
