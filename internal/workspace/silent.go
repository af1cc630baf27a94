package workspace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
)

// silent is [folders.ErrSilent] where something is mounted on what is called name in parent that does not answer. Nothing else is asked.
func silent(parent *os.Root, name string) error {
	if !foreign(parent, name) {
		return nil
	}
	_, answered := folders.Soon(func() error {
		file, err := parent.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err = file.Readdirnames(1); errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	}, func(error) {})
	if !answered {
		return fmt.Errorf("opening %q: %w", filepath.Join(parent.Name(), name), folders.ErrSilent)
	}
	return nil
}

// mountedWithin is the error for what is mounted on a folder at a local path below base, or on the way to it.
func mountedWithin(base *os.Root, path string) error {
	_, names := folders.Split(path)
	parent := base
	for _, name := range names {
		if foreign(parent, name) {
			return mountedAt(parent, name)
		}
		next, err := folders.Enter(parent, name)
		if err != nil {
			return nil //nolint:nilerr // who opens it says why it cannot be opened
		}
		defer next.Close() //nolint:gocritic // a work folder is one or two names below its runner
		parent = next
	}
	return nil
}
