//go:build unix

package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
)

// Straighten removes what the account uid has put in the place of a runner's folder for logs, or of that for jobs in its root, and that no
// listener can work with: a file, or a link that leads to no folder of the account's. It returns their names. What is another's stays:
// an administrator may have put a disk there by a link. The listener makes the folders itself.
//
// The folders that are there, with those in them that it works in, the account may enter, list and change again where they are its own: a
// job may have taken that from it. No link is followed there. What it has given the name of a log, and no listener can open as one, goes
// too: at a pipe it would wait for ever.
func Straighten(root, work string, uid int) (removed []string, err error) {
	if work == "" {
		work = defaultWork
	}
	ways := [][]string{{diag, "pages"}, {diag, "blocks"}}
	if filepath.IsLocal(work) {
		_, names := folders.Split(filepath.Clean(work))
		ways = append(ways, names)
	} else if filepath.IsAbs(work) {
		err = letInto(filepath.Clean(work), uid)
	}
	tree, failed := os.OpenRoot(root)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	defer tree.Close()
	usable := map[string]bool{}
	for _, way := range ways {
		name := way[0]
		if _, seen := usable[name]; !seen {
			gone, isFolder, failed := straighten(tree, root, name, uid)
			if usable[name] = isFolder; gone {
				removed = append(removed, name)
			}
			err = errors.Join(err, failed)
		}
		if usable[name] {
			err = errors.Join(err, letIn(tree, uid, way))
		}
	}
	if usable[diag] {
		logs, failed := clearLogs(tree, uid)
		removed, err = append(removed, logs...), errors.Join(err, failed)
	}
	return removed, err
}

// straighten is Straighten for one name in a root. It tells whether that is gone, and whether a folder is there.
func straighten(tree *os.Root, root, name string, uid int) (gone, isFolder bool, err error) {
	if err := silent(tree, name); err != nil {
		return false, false, err
	}
	info, err := tree.Lstat(name)
	if err != nil || info.IsDir() || !ownedBy(info, uid) {
		return false, err == nil && info.IsDir(), nil //nolint:nilerr // not there; the next listener says what else is wrong
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		home, answered := folders.Soon(func() bool { return leadsHome(root, name, uid) }, func(bool) {})
		if !answered {
			return false, false, fmt.Errorf("looking where %q leads: %w", filepath.Join(root, name), folders.ErrSilent)
		}
		if home {
			return false, false, nil
		}
	}
	if err := tree.Remove(name); err != nil {
		return false, false, fmt.Errorf("straightening folder %q: %w", filepath.Join(root, name), err)
	}
	return true, false, nil
}

// letInto is letIn for a path, and for the folder around it: an account may have given one in which each runner has a part.
func letInto(path string, uid int) error {
	err, answered := folders.Soon(func() (err error) {
		for _, folder := range []string{filepath.Dir(path), path} {
			parent, name, failed := around(folder)
			if failed != nil {
				return err // the next listener says what is wrong
			}
			err = errors.Join(err, letIn(parent, uid, []string{name}))
			_ = parent.Close() // nothing was written
		}
		return err
	}, func(error) {})
	if !answered {
		return fmt.Errorf("opening %q: %w", path, folders.ErrSilent)
	}
	return err
}

// letIn lets the account uid into folders of its own again, each in the one before. What is no folder, or another's, is left as it is.
func letIn(parent *os.Root, uid int, names []string) error {
	const all = 0o700
	for _, name := range names {
		folder, err := folders.Own(parent, name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, folders.ErrNotFolder) {
			return nil
		}
		if err != nil {
			return err
		}
		defer folder.Close() //nolint:gocritic // a work folder is one or two names below its runner
		info, err := folder.Stat(".")
		if err == nil && ownedBy(info, uid) && info.Mode()&all != all {
			err = folder.Chmod(".", info.Mode()|all)
		}
		if err != nil {
			return fmt.Errorf("letting the account into its folder %q: %w", folder.Name(), folders.Cause(err))
		}
		parent = folder
	}
	return nil
}

// leadsHome tells whether a link leads to a folder of the account's. It is looked at, and not entered.
func leadsHome(root, name string, uid int) bool {
	info, err := os.Stat(filepath.Join(root, name))
	return err == nil && info.IsDir() && ownedBy(info, uid)
}

func ownedBy(info fs.FileInfo, uid int) bool {
	status, known := info.Sys().(*syscall.Stat_t)
	return known && int(status.Uid) == uid
}
