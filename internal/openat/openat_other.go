//go:build !linux

package openat

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Dir is an open directory of a tree. What is reached from it lies directly in it,
// or, through a link, elsewhere in the tree: os.Root sees to that.
type Dir struct{ root *os.Root }

// File is an open regular file.
type File struct{ *os.File }

// Open opens the directory of root again. Both are closed by the caller.
func Open(root *os.Root) (*Dir, error) {
	again, err := root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	return &Dir{again}, nil
}

// Close closes it. There is nothing that could be done about a failure.
func (d *Dir) Close() { _ = d.root.Close() }

// Enter opens a directory. os.Root follows links that stay inside, so what was
// opened is compared with what bears the name.
func (d *Dir) Enter(name string) (*Dir, error) {
	if err := oneName(name); err != nil {
		return nil, err
	}
	// With the dot, only a directory is opened: the opening of a pipe would wait for a writer.
	next, err := d.root.OpenRoot(name + string(filepath.Separator) + ".")
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil {
		var named fs.FileInfo
		named, err = d.root.Lstat(name)
		if err == nil && !os.SameFile(opened, named) {
			err = errors.New("it is a link")
		}
	}
	if err != nil {
		_ = next.Close()
		return nil, err
	}
	return &Dir{next}, nil
}

func pass(d *Dir, name string) (*Dir, error) { return d.Enter(name) }

// OpenFile opens a file to be read.
func (d *Dir) OpenFile(name string) (*File, error) { return opened(d.root.Open(name)) }

// Create makes a file, where nothing bears its name.
func (d *Dir) Create(name string, mode fs.FileMode) (*File, error) {
	return opened(d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode))
}

func opened(f *os.File, err error) (*File, error) {
	if err != nil {
		return nil, err
	}
	return &File{f}, nil
}

// Mkdir makes a directory.
func (d *Dir) Mkdir(name string, mode fs.FileMode) error { return d.root.Mkdir(name, mode) }

// Chmod sets the mode of a directory.
func (d *Dir) Chmod(name string, mode fs.FileMode) error { return d.root.Chmod(name, mode) }

// Chown gives away what bears the name, be it a link.
func (d *Dir) Chown(name string, uid, gid int) error { return d.root.Lchown(name, uid, gid) }

// Touch sets both times.
func (d *Dir) Touch(name string, when time.Time) error { return d.root.Chtimes(name, when, when) }

// Symlink makes a link called name.
func (d *Dir) Symlink(target, name string) error { return d.root.Symlink(target, name) }

// Link is not done here: the bytes are copied.
func (d *Dir) Link(string, *Dir, string) error { return errors.ErrUnsupported }

// LinksStay does not matter where there are none.
func LinksStay(*Dir) bool { return false }

// Known is nothing here.
func Known(*Dir, string) (inode uint64, changed int64, err error) { return 0, 0, nil }

// Changed is not told here.
func Changed(*Dir) (int64, error) { return 0, nil }

// Readlink returns where a link leads.
func (d *Dir) Readlink(name string) (string, error) { return d.root.Readlink(name) }

// Here is [Dir.Status]: what is mounted is seen here when it was entered.
func Here(d *Dir, name string) (Status, error) { return d.Status(name) }

// EnterHere is [Dir.Enter] likewise.
func EnterHere(d *Dir, name string) (*Dir, error) { return d.Enter(name) }

// Frozen is not told here.
func Frozen(*Dir, string) bool { return false }

// Status tells what bears the name, be it a link.
func (d *Dir) Status(name string) (Status, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return Status{}, err
	}
	return statusOf(info), nil
}

func statusOf(info fs.FileInfo) Status {
	disk, links := onDisk(info)
	return Status{Mode: info.Mode(), Size: info.Size(), Modified: info.ModTime(), Disk: disk, Links: links}
}

// List returns what is in the directory, in no order.
func (d *Dir) List() ([]Name, error) {
	dir, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	names := make([]Name, len(entries))
	for i, entry := range entries {
		names[i] = Name{entry.Name(), entry.Type()}
	}
	return names, err
}

// Clone is not done here: the bytes are copied.
func (f *File) Clone(*File) error { return errors.ErrUnsupported }

// startWriting is left to the kernel here.
func (f *File) startWriting(int64, int64) {}

// Status tells what it is.
func (f *File) Status() (Status, error) {
	info, err := f.Stat()
	if err != nil {
		return Status{}, err
	}
	return statusOf(info), nil
}
