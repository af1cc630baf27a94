package runnerdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// UpdateRooted brings a root whose files are root's to what next holds: what both have changes places, one name after the
// other and the programs last, and what is root's and next has not goes. What others have added stays. After a failure, or
// a kill, it may be done again.
func UpdateRooted(root, next string) error {
	parent, path, err := folders.Open(filepath.Dir(root))
	if err != nil {
		return err
	}
	defer parent.Close()
	to, from := filepath.Base(root), filepath.Base(next)
	entries, err := fs.ReadDir(parent.FS(), from)
	if err != nil {
		return err
	}
	const programs = "bin"
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if entry.Name() != programs {
			names = append(names, entry.Name())
		}
	}
	for _, name := range append(names, programs) {
		new, old := filepath.Join(path, from, name), filepath.Join(path, to, name)
		if _, err := parent.Lstat(filepath.Join(to, name)); errors.Is(err, fs.ErrNotExist) {
			err = inuse.Rename(new, old)
			if err != nil {
				return err
			}
			continue
		}
		err := exchange(new, old)
		if errors.Is(err, syscall.EXDEV) {
			// A folder that an overlay has from below it, as in a container of an image, can have no other name.
			if err = removal.Path(old); err == nil {
				err = inuse.Rename(new, old)
			}
		}
		if err != nil {
			return fmt.Errorf("putting %q into its place: %w", name, err)
		}
	}
	return dropForeign(parent, to, func(name string) bool {
		return name == programs || slices.Contains(names, name) || slices.Contains(Edited(), name)
	})
}

// dropForeign removes what is root's in a root directory, and nothing that keep wants.
func dropForeign(parent *os.Root, to string, keep func(name string) bool) error {
	folder, err := folders.Enter(parent, to)
	if err != nil {
		return err
	}
	defer folder.Close()
	return removal.Except(folder, func(name string) bool {
		info, err := folder.Lstat(name)
		return keep(name) || err != nil || !acl.RootOwns(filepath.Join(folder.Name(), name), info)
	})
}
