package openat

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
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

// Loosen lets an administrator's process into a directory that it is kept out of, as what jobs make is theirs to lock: nobody
// else but those who administer the host gets in then. A failure shows up when the directory is entered.
func (d *Dir) Loosen(name string) {
	if _, err := d.root.Stat(name + string(filepath.Separator) + "."); !errors.Is(err, fs.ErrPermission) || !insistent() {
		return
	}
	above, err := d.root.Open(".")
	if err != nil {
		return
	}
	defer func() { _ = above.Close() }() // nothing was written
	_ = acl.Seize(above, name)           // see above
}

// insistent tells whether this process removes what others have locked, and enables it to.
func insistent() bool { return acl.Insist() == nil }

func isFull(err error) bool { return errors.Is(err, windows.ERROR_DIR_NOT_EMPTY) }
