package runnerdir

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

// Update brings a root to what next holds, as the runner's own update does it: bin
// and externals become links to folders that have the version in their names
// (actions/runner, update.sh.template). The links come last, bin's after that of
// what it needs. Own gives a link to the account of the jobs. After a failure either the files of before or the new ones are
// in their places, folder by folder, and it may be done again.
func Update(root, next, version, before string, own func(path string) error) error {
	parent, err := os.OpenRoot(filepath.Dir(root))
	if err != nil {
		return err
	}
	defer parent.Close()
	to, from := filepath.Base(root), filepath.Base(next)
	entries, err := fs.ReadDir(parent.FS(), from)
	if err != nil {
		return err
	}
	linked := []string{"externals", "bin"}
	for _, entry := range entries {
		if slices.Contains(linked, entry.Name()) || entry.IsDir() {
			continue
		}
		if err := inuse.RenameIn(parent, filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	for _, name := range linked {
		if err := updateFolder(parent, root, from, name, version, before, own); err != nil {
			return err
		}
	}
	return nil
}

func updateFolder(parent *os.Root, root, from, name, version, before string, own func(path string) error) error {
	to := filepath.Base(root)
	folder, link := filepath.Join(to, name), filepath.Join(to, "."+name+".link")
	versioned := name + "." + version
	for _, old := range []string{versioned, filepath.Base(link)} {
		if err := removeIn(parent, to, old); err != nil {
			return err
		}
	}
	if err := inuse.RenameIn(parent, filepath.Join(from, name), filepath.Join(to, versioned)); err != nil {
		return err
	}
	if err := folders.Link(parent, filepath.Join(root, versioned), link); err != nil {
		return err
	}
	if err := own(filepath.Join(root, "."+name+".link")); err != nil {
		return err
	}
	if info, err := parent.Lstat(folder); err == nil && info.IsDir() {
		old := folder + "." + before
		if err := removeIn(parent, to, filepath.Base(old)); err != nil {
			return err
		}
		if err := inuse.RenameIn(parent, folder, old); err != nil {
			return err
		}
	}
	return folders.ReplaceLink(parent, link, folder)
}
