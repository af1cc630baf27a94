//go:build !linux

package openat

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Unlink removes the name of what is no directory. That of a directory is EISDIR.
func (d *Dir) Unlink(name string) error {
	if err := oneName(name); err != nil {
		return err
	}
	info, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrPermission) && insistent() {
		// It is removed all the same, or has something in it.
		if err := d.root.Remove(name); !isFull(err) {
			return err
		}
		return syscall.EISDIR
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return syscall.EISDIR
	}
	return d.root.Remove(name)
}

// Rmdir removes an empty directory.
func (d *Dir) Rmdir(name string) error {
	if err := oneName(name); err != nil {
		return err
	}
	err := d.root.Remove(name)
	if isFull(err) {
		return syscall.ENOTEMPTY
	}
	return err
}

// Move gives what bears a name in d another one in above, which is a directory on the way to d. The way is walked again:
// if it has become another one, that ends in the same tree.
func (d *Dir) Move(name string, above *Dir, to string) error {
	if err := oneName(name); err != nil {
		return err
	}
	way, err := filepath.Rel(above.root.Name(), d.root.Name())
	if err != nil {
		return err
	}
	return above.root.Rename(filepath.Join(way, name), to)
}

// Names are what is in a directory, some at a time.
type Names struct{ dir *os.File }

// Names begins to list the directory from its start. There is one listing of an open directory at a time;
// the buffer is not needed here.
func (d *Dir) Names([]byte) (*Names, error) {
	dir, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	return &Names{dir}, nil
}

// Next returns some more names, and none at the end.
func (n *Names) Next() ([]string, error) {
	const some = 1024
	names, err := n.dir.Readdirnames(some)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, err
}

// Close ends the listing.
func (n *Names) Close() { _ = n.dir.Close() }

// Place is the path by which the directory was reached.
func (d *Dir) Place() string { return d.root.Name() }

// SameMount tells whether both directories belong to one mount, which their devices tell here: a file system is in one
// place only.
func (d *Dir) SameMount(other *Dir) bool {
	one, err := d.root.Stat(".")
	if err != nil {
		return false
	}
	two, err := other.root.Stat(".")
	if err != nil {
		return false
	}
	here, known := deviceOf(one)
	there, also := deviceOf(two)
	return known && also && here == there
}

// IsMounted tells whether something is mounted on what bears the name.
func (d *Dir) IsMounted(name string) bool {
	next, err := d.Enter(name)
	if err != nil {
		return false // only directories are mounted on here
	}
	defer next.Close()
	return !next.SameMount(d)
}
