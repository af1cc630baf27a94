package runnerdir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// Mounts lists what is mounted in the runner in dir.
func Mounts(dir string) ([]string, error) {
	folder, path, err := folders.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return removal.Mounts(path)
}

// Refill puts what next holds in the place of all that dir holds, but for folders that stay. It is for where something is
// mounted in dir: that would go with dir if it changed places with next, and be gone from where an administrator has put
// it. In next are then the files of before that an owner may have edited. After a failure, or a kill, dir is no runner, and
// it is to be done again.
func Refill(dir, next string, stay []string) error {
	parent, path, err := folders.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	to, from := filepath.Base(dir), filepath.Base(next)
	entries, err := fs.ReadDir(parent.FS(), from)
	if err != nil {
		return err
	}
	for _, name := range Edited() {
		err := parent.Rename(filepath.Join(to, name), filepath.Join(from, beforeMark+name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	folder, err := folders.Enter(parent, to)
	if err != nil {
		return fmt.Errorf("opening %q: %w", filepath.Join(path, to), err)
	}
	defer folder.Close()
	left := removal.Except(folder, func(name string) bool { return slices.Contains(stay, name) })
	if left != nil && !removal.MountsAlone(left) {
		return left
	}
	for _, entry := range entries {
		if err := parent.Rename(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return fmt.Errorf("putting %q into the runner's directory: %w", entry.Name(), errors.Join(folders.Cause(err), left))
		}
	}
	for _, name := range Edited() {
		err := parent.Rename(filepath.Join(from, beforeMark+name), filepath.Join(from, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// beforeMark begins the names of what next keeps of the runner before, while it holds files of the same names.
const beforeMark = ".before"

// Edited are the files of a runner that its owner may edit.
func Edited() []string { return []string{".env", ".path"} }
