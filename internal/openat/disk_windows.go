package openat

import (
	"io/fs"
)

// onDisk returns the size of a file, and that it has one name: more is not told here.
func onDisk(info fs.FileInfo) (bytes, links int64) {
	if info.IsDir() {
		return 0, 1
	}
	return info.Size(), 1
}

// deviceOf says that all is on one file system: what leads to another one is no directory to package os here.
func deviceOf(fs.FileInfo) (device uint64, known bool) { return 0, true }

// InUse would tell whether something cannot be removed for what is mounted on it. Nothing is: what leads to another volume is
// a link, and a folder that a program works in can be emptied all the same.
func InUse(error) bool { return false }
