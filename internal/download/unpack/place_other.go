//go:build !linux

package unpack

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// place is an open directory of a tree. What is reached from it lies directly in it,
// or, through a link, elsewhere in the tree: os.Root sees to that.
type place struct{ root *os.Root }

// file is an open regular file.
type file struct{ *os.File }

// openPlace opens the directory of root again. Both are closed by the caller.
func openPlace(root *os.Root) (*place, error) {
	again, err := root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	return &place{again}, nil
}

func (p *place) close() { _ = p.root.Close() }

// enter opens a directory. os.Root follows links that stay inside, so what was
// opened is compared with what bears the name.
func (p *place) enter(name string) (*place, error) {
	next, err := p.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil {
		var named fs.FileInfo
		named, err = p.root.Lstat(name)
		if err == nil && !os.SameFile(opened, named) {
			err = errors.New("it is a link")
		}
	}
	if err != nil {
		_ = next.Close()
		return nil, err
	}
	return &place{next}, nil
}

// read opens a file.
func (p *place) read(name string) (*file, error) { return opened(p.root.Open(name)) }

// create makes a file, where nothing bears its name.
func (p *place) create(name string, mode fs.FileMode) (*file, error) {
	return opened(p.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode))
}

func opened(f *os.File, err error) (*file, error) {
	if err != nil {
		return nil, err
	}
	return &file{f}, nil
}

func (p *place) mkdir(name string, mode fs.FileMode) error { return p.root.Mkdir(name, mode) }

// chmod sets the mode of a directory.
func (p *place) chmod(name string, mode fs.FileMode) error { return p.root.Chmod(name, mode) }

func (p *place) chown(name string, uid, gid int) error { return p.root.Lchown(name, uid, gid) }

// touch sets both times.
func (p *place) touch(name string, when time.Time) error { return p.root.Chtimes(name, when, when) }

func (p *place) symlink(target, name string) error { return p.root.Symlink(target, name) }

func (p *place) readlink(name string) (string, error) { return p.root.Readlink(name) }

// mode is that of what bears the name, be it a link.
func (p *place) mode(name string) (fs.FileMode, error) {
	info, err := p.root.Lstat(name)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// list returns what is in the directory, in no order.
func (p *place) list() ([]fs.DirEntry, error) {
	dir, err := p.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.ReadDir(-1)
}

func (f *file) chmod(mode fs.FileMode) error { return f.Chmod(mode) }

func (f *file) chown(uid, gid int) error { return f.Chown(uid, gid) }

func (f *file) status() (status, error) {
	info, err := f.Stat()
	if err != nil {
		return status{}, err
	}
	return status{mode: info.Mode(), size: info.Size(), modified: info.ModTime()}, nil
}
