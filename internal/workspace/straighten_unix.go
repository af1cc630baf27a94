//go:build unix

package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
)

// Straighten removes what the account uid has put in the place of a runner's folder for logs, or of that for jobs in its root, and that no
// listener can work with: a file, or a link that leads to no folder of the account's. It returns their names. What is another's stays:
// an administrator may have put a disk there by a link. The listener makes the folders itself.
func Straighten(root, work string, uid int) (removed []string, err error) {
	names := []string{diag}
	if work == "" {
		work = defaultWork
	}
	if filepath.IsLocal(work) {
		first, _, _ := strings.Cut(filepath.Clean(work), string(filepath.Separator))
		names = append(names, first)
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	for _, name := range names {
		if failed := silent(tree, name); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		info, failed := tree.Lstat(name)
		if failed != nil || info.IsDir() || !ownedBy(info, uid) {
			continue // not there; the next listener says what else is wrong
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			home, answered := folders.Soon(func() bool { return leadsHome(root, name, uid) }, func(bool) {})
			if !answered {
				failed := fmt.Errorf("looking where %q leads: %w", filepath.Join(root, name), folders.ErrSilent)
				err = errors.Join(err, failed)
			}
			if home || !answered {
				continue
			}
		}
		if failed := tree.Remove(name); failed != nil {
			err = errors.Join(err, fmt.Errorf("straightening folder %q: %w", filepath.Join(root, name), failed))
			continue
		}
		removed = append(removed, name)
	}
	return removed, err
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
