//go:build unix

package workspace

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
)

// plain takes from a folder of the account uid what a job can have set on it: what gives others more than a folder has that was just made,
// and what the files in it would have from it.
func plain(folder *os.Root, uid int) error {
	const most, least = 0o755, 0o700
	info, err := folder.Stat(".")
	if err == nil && uid >= 0 && ownedBy(info, uid) {
		if err = dropAttributes(folder); err == nil {
			err = setMode(folder, info.Mode(), info.Mode()&most|least)
		}
	}
	if err != nil {
		return fmt.Errorf("taking from folder %q what a job has set on it: %w", folder.Name(), folders.Cause(err))
	}
	return nil
}

// setMode gives a folder a mode, unless it has it.
func setMode(folder *os.Root, now, mode fs.FileMode) error {
	if now.Perm()|now&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) == mode {
		return nil
	}
	return folder.Chmod(".", mode)
}
