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
// other and the programs last, and what is root's and next has not goes. What others have added stays. After a failure what has changed
// places has changed back, but below an overlay; after a kill it is to be done again.
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
	var back []func() error
	for _, name := range append(names, programs) {
		undo, err := putInto(filepath.Join(path, to, name), filepath.Join(path, from, name))
		if err != nil {
			for _, undo := range slices.Backward(back) {
				err = errors.Join(err, undo())
			}
			return fmt.Errorf("putting %q into its place: %w", name, err)
		}
		back = append(back, undo)
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

// putInto puts what is at fresh into a place, and what is there where that was; undo does the same once more.
func putInto(place, fresh string) (undo func() error, err error) {
	if _, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) {
		return func() error { return inuse.Rename(place, fresh) }, inuse.Rename(fresh, place)
	}
	err = exchange(fresh, place)
	if !errors.Is(err, syscall.EXDEV) {
		return func() error { return exchange(fresh, place) }, err
	}
	// A folder that an overlay has from below it, as in a container of an image, can have no other name.
	if err = removal.Path(place); err == nil {
		err = inuse.Rename(fresh, place)
	}
	return func() error { return nil }, err
}
