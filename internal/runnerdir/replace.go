package runnerdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// Replace puts next in the place of dir, and takes folders along. Where dir, or one of them, can have no other name,
// because an overlay has it from below, as in a container of an image that has a runner, dir is refilled. After a failure,
// or a kill, it is to be done again.
func Replace(dir, next string, folders []string) error {
	err := takeAlong(dir, next, folders)
	if err == nil {
		err = exchange(next, dir)
	}
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	if err := BringBack(dir, next, folders); err != nil {
		return err
	}
	return Refill(dir, next, folders)
}

func takeAlong(dir, next string, folders []string) error {
	for _, folder := range folders {
		if err := moveFolder(dir, next, folder); err != nil {
			return err
		}
	}
	return nil
}

// BringBack moves those of folders that dir has not out of next, as a Replace that was killed may have left them there.
func BringBack(dir, next string, folders []string) error {
	for _, folder := range folders {
		if _, err := os.Lstat(filepath.Join(dir, folder)); err == nil {
			continue
		}
		if err := moveFolder(next, dir, folder); err != nil {
			return err
		}
	}
	return nil
}

// moveFolder takes a folder along into another copy; one that is none stays.
func moveFolder(from, to, name string) error {
	parent, err := os.OpenRoot(filepath.Dir(from))
	if err != nil {
		return err
	}
	defer parent.Close()
	old, fresh := filepath.Join(filepath.Base(from), name), filepath.Join(filepath.Base(to), name)
	if info, err := parent.Lstat(old); err != nil || !info.IsDir() {
		return nil //nolint:nilerr // there is none, or a job has put something else there
	}
	if err := parent.Mkdir(filepath.Base(to), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := removeIn(parent, filepath.Base(to), name); err != nil {
		return err
	}
	return inuse.RenameIn(parent, old, fresh)
}

// removeIn removes what a folder in parent has under a name.
func removeIn(parent *os.Root, folder, name string) error {
	inner, err := folders.Enter(parent, folder)
	if err != nil {
		return fmt.Errorf("opening %q: %w", filepath.Join(parent.Name(), folder), err)
	}
	defer inner.Close()
	return removal.Tree(inner, name)
}
