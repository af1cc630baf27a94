package workspace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// ErrOther means that a folder is not the one that was made: somebody has put another one there.
var ErrOther = errors.New("not the folder that was made")

// Make makes a folder in one that exists, with mode 0755 whatever the umask, and gives it to the owner unless uid is
// negative. It returns the number that [Check] knows it by, 0 where the file system does not keep one. An empty folder of
// that name is taken, as a killed run may have left it; anything else is [fs.ErrExist]. No link is followed on the way but
// those that only root and the caller could have put there.
func Make(path string, uid, gid int) (inode uint64, err error) {
	parent, name, err := around(path)
	if err != nil {
		return 0, err
	}
	defer parent.Close()
	making := func(err error) error { return fmt.Errorf("making folder %q: %w", path, folders.Cause(err)) }
	if err := parent.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return 0, making(err)
	}
	if foreign(parent, name) {
		return 0, making(mountedAt(parent, name))
	}
	folder, err := folders.Enter(parent, name)
	if err != nil {
		return 0, making(err)
	}
	defer folder.Close()
	if full, err := occupied(folder); err != nil || full {
		return 0, making(errors.Join(err, fs.ErrExist))
	}
	if err := folder.Chmod(".", 0o755); err != nil {
		return 0, making(err)
	}
	if uid >= 0 {
		if err := folder.Lchown(".", uid, gid); err != nil {
			return 0, making(err)
		}
	}
	info, err := folder.Stat(".")
	if err != nil {
		return 0, making(err)
	}
	if !lasting(path) {
		return 0, nil
	}
	return number(folder, info), nil
}

// Check tells whether a folder is still the one that [Make] has made: [ErrOther], [removal.ErrMounted], [fs.ErrNotExist] if not,
// [folders.ErrSilent] if that cannot be told, as what is above it does not answer.
func Check(path string, inode uint64) error {
	err, answered := folders.Soon(func() error { return check(path, inode) }, func(error) {})
	if !answered {
		return fmt.Errorf("looking at folder %q: %w", path, folders.ErrSilent)
	}
	return err
}

func check(path string, inode uint64) error {
	parent, name, err := around(path)
	if err != nil {
		return err
	}
	defer parent.Close()
	if err := same(parent, name, inode); err != nil {
		return fmt.Errorf("looking at folder %q: %w", path, err)
	}
	return nil
}

// Remove removes a folder that [Make] has made, with all that is in it. One that is gone is a success. What is mounted
// there or in it stays, and so does what [Check] refuses; the error names it. It may be repeated.
func Remove(path string, inode uint64) error {
	if err := Check(path, inode); errors.Is(err, folders.ErrSilent) {
		return fmt.Errorf("removing the folder for jobs: %w", err)
	}
	parent, name, err := around(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	err = same(parent, name, inode)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing folder %q: %w", path, err)
	}
	return removal.Tree(parent, name)
}

// RemoveEmpty removes a folder if nothing is in it, and tells whether it is gone. One that does not answer stays.
func RemoveEmpty(path string) (gone bool) {
	gone, _ = folders.Soon(func() bool { return removeEmpty(path) }, func(bool) {})
	return gone
}

func removeEmpty(path string) (gone bool) {
	parent, name, err := around(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer parent.Close()
	if foreign(parent, name) {
		return false
	}
	info, err := parent.Lstat(name)
	if err != nil || !info.IsDir() {
		return errors.Is(err, fs.ErrNotExist)
	}
	return inuse.RemoveIn(parent, name) == nil
}

// around opens the folder that a folder is in.
func around(path string) (parent *os.Root, name string, err error) {
	parent, _, err = folders.Open(filepath.Dir(path))
	return parent, filepath.Base(path), err
}

// same is Check in an open folder.
func same(parent *os.Root, name string, inode uint64) error {
	if foreign(parent, name) {
		return mountedAt(parent, name)
	}
	folder, err := folders.Enter(parent, name)
	if err != nil {
		return err
	}
	defer folder.Close()
	inner, err := folder.Stat(".")
	if err != nil {
		return folders.Cause(err)
	}
	if mounted(parent, folder, name) {
		return mountedAt(parent, name)
	}
	if now := number(folder, inner); inode != 0 && now != 0 && now != inode {
		return ErrOther
	}
	return nil
}

func mountedAt(parent *os.Root, name string) error {
	return &removal.MountedError{Points: []string{filepath.Join(parent.Name(), name)}}
}

// occupied tells whether there is anything in a folder.
func occupied(folder *os.Root) (bool, error) {
	listing, err := folder.Open(".")
	if err != nil {
		return false, err
	}
	defer listing.Close()
	names, err := listing.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return len(names) > 0, err
}
