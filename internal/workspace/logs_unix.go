//go:build unix

package workspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// clearLogs removes from the folder for logs in tree what bears the name of one and no listener of the account uid could open, where
// the account has made it. It returns the first names.
func clearLogs(tree *os.Root, uid int) (removed []string, err error) {
	folder, err := folders.Enter(tree, diag)
	if err != nil {
		return nil, nil //nolint:nilerr // there is none, or the next listener says what is wrong
	}
	defer folder.Close()
	var found removal.Problems
	failed := folders.Names(folder, func(name string) bool {
		if _, isLog := logName(name); !isLog {
			return true
		}
		info, err := folder.Lstat(name)
		if err != nil || !ownedBy(info, uid) || isOpenable(info) {
			return true
		}
		if err := removal.Tree(folder, name); err != nil {
			found.Add(err)
		} else if len(removed) < maxNames {
			removed = append(removed, filepath.Join(diag, name))
		}
		return true
	})
	if failed != nil {
		failed = fmt.Errorf("listing %q: %w", folder.Name(), failed)
	}
	return removed, errors.Join(found.Err(), failed)
}
