package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// What one life has on the disk, in a folder of its name.
const (
	ownTmp     = "tmp"
	ownVarTmp  = "var-tmp"
	ownHome    = "home"
	nothing    = "nothing" // stands in the place of what is hidden and is no folder
	firstNote  = "first"   // which process keeps the life
	stickyMode = 0o777 | fs.ModeSticky
)

// room is the folder of one life.
type room struct{ path string }

// make makes it, empty, and what a life with that view has in it. It belongs to this process alone: nobody passes it but by a mount.
func (r room) make(view View, user account.User) error {
	if err := r.discard(); err != nil {
		return err
	}
	if err := os.MkdirAll(r.path, 0o700); err != nil {
		return fmt.Errorf("making the folder of a life: %w", err)
	}
	var names []string
	if view.ownTemp() {
		names = append(names, ownTmp, ownVarTmp)
	}
	for _, name := range names {
		path := filepath.Join(r.path, name)
		// The mode apart: the umask would take from it.
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, stickyMode)); err != nil {
			return fmt.Errorf("making a temporary folder of a life: %w", err)
		}
	}
	if view.Home != "" && view.Fresh {
		path := filepath.Join(r.path, ownHome)
		if err := errors.Join(os.Mkdir(path, 0o700), user.Own(path)); err != nil {
			return fmt.Errorf("making the home of a life: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.path, nothing), nil, 0); err != nil {
		return fmt.Errorf("making the folder of a life: %w", err)
	}
	return nil
}

// discard removes it, with all that a life has left in it. What is mounted there stays, and is told.
func (r room) discard() error {
	if err := removal.Path(r.path); err != nil {
		return fmt.Errorf("removing the folder of a life: %w", err)
	}
	// The one around it goes with the last life.
	if err := os.Remove(filepath.Dir(r.path)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("removing the folder of lives: %w", err)
	}
	return nil
}
