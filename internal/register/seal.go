package register

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// Seal makes the files root's by which the next listener gets its environment, where the runner's files are root's. Those that
// config.sh has written keep what they say, but for the PATH, which is ours; those that are not there are made, lest a job makes
// them. What root has edited stays as it is. It is for before the first job, and may be repeated.
func Seal(record instance.Record, user account.User) error {
	if !record.Rooted() || user.Self {
		return nil
	}
	owner := FileOwner(record, user)
	for _, name := range []string{".env", ".path"} {
		sealed, err := rootHas(record.Dir, name)
		if err != nil {
			return err
		}
		if sealed {
			continue
		}
		text, err := ReadFile(record.Dir, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, openfile.ErrNotRegular) {
			return fmt.Errorf("reading the runner's %s: %w", name, err)
		}
		if name == ".path" {
			text = []byte(account.SearchPath() + "\n")
		}
		if err := WriteFile(record.Dir, name, text, owner); err != nil {
			return fmt.Errorf("writing the runner's %s: %w", name, err)
		}
	}
	return nil
}

// rootHas tells whether a file in a runner's directory is root's.
func rootHas(root, name string) (bool, error) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return false, err
	}
	defer tree.Close()
	info, err := tree.Lstat(name)
	if err != nil {
		return false, nil //nolint:nilerr // it is made, or that says what is wrong
	}
	return info.Mode().IsRegular() && acl.RootOwns(filepath.Join(root, name), info), nil
}
