package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// registrationFolder is where the files of a runner's registration are kept.
const registrationFolder = "registration"

// KeptFiles are the files of a runner's registration, as they are kept in its record's
// folder.
type KeptFiles struct {
	name   string
	folder string
}

// KeptRegistration is where the registration of the runner called name is kept.
func KeptRegistration(s *Store, name string) KeptFiles {
	return KeptFiles{name: name, folder: filepath.Join(s.home(name), registrationFolder)}
}

// Folder is where the files are. It need not exist.
func (k KeptFiles) Folder() string { return k.folder }

// Keep keeps files, by their names, instead of earlier ones. They appear together and
// outlive a power cut; only the account of this process can read them. After a failure
// the earlier ones may be gone.
func (k KeptFiles) Keep(files map[string][]byte) error {
	fresh := k.folder + ".new"
	err := errors.Join(removal.Path(fresh), os.MkdirAll(filepath.Dir(k.folder), 0o700), os.Mkdir(fresh, 0o700))
	if err == nil {
		err = writeAll(fresh, files)
	}
	if err == nil {
		err = exchangeFolder(k.folder, fresh)
	}
	if err != nil {
		return fmt.Errorf("keeping the registration of %q: %w", k.name, errors.Join(err, removal.Path(fresh)))
	}
	return nil
}

// keepRoom is more than the files of a registration take, and the record that is written after them.
const keepRoom = 64 << 10

// Room tells whether files could be kept now: nobody is to be registered whom this host could not keep. What it takes to see
// that is removed again.
func (k KeptFiles) Room() error {
	fresh := k.folder + ".new"
	err := errors.Join(removal.Path(fresh), os.MkdirAll(filepath.Dir(k.folder), 0o700), os.Mkdir(fresh, 0o700))
	if err == nil {
		err = os.WriteFile(filepath.Join(fresh, "room"), make([]byte, keepRoom), 0o600)
	}
	if err = errors.Join(err, removal.Path(fresh)); err != nil {
		return fmt.Errorf("looking for room to keep the registration of %q: %w", k.name, err)
	}
	return nil
}

// Drop forgets the files, and remembers that there are none. It may be repeated.
func (k KeptFiles) Drop() error {
	if !k.dropped() {
		return k.Keep(nil)
	}
	if err := atomicfile.SyncFolder(filepath.Dir(k.folder)); err != nil { // the one who has dropped them may have been killed before that
		return fmt.Errorf("forgetting the registration of %q: %w", k.name, err)
	}
	return nil
}

// dropped tells whether they were dropped, and nothing is left of what that takes.
func (k KeptFiles) dropped() bool {
	files, err := os.ReadDir(k.folder)
	for _, beside := range []string{".old", ".new"} {
		if _, err := os.Lstat(k.folder + beside); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return err == nil && len(files) == 0
}

// writeAll writes files into a folder that nobody else has to do with, and has them on the disk: all first, so that a file system
// with a journal writes that once.
func writeAll(folder string, files map[string][]byte) (err error) {
	var open []*os.File
	defer func() {
		for _, file := range open {
			err = errors.Join(err, file.Close())
		}
	}()
	for name, text := range files {
		file, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		open = append(open, file)
		if _, err := file.Write(text); err != nil {
			return err
		}
	}
	for _, file := range open {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	return atomicfile.SyncFolder(folder)
}

// Known tells whether this host has ever kept a registration of the runner, be it dropped
// by now. Earlier versions left it in the runner's directory alone.
func (k KeptFiles) Known() (bool, error) {
	for _, path := range []string{k.folder, k.folder + ".old"} {
		_, err := os.Lstat(path)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("looking for the registration of %q: %w", k.name, err)
		}
	}
	return false, nil
}

// copyFolder copies the files of a folder into a new one.
func copyFolder(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(from, entry.Name())); err != nil {
			return err
		}
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	return writeAll(to, files)
}

// exchangeFolder puts fresh in the place of folder. In between, folder is beside itself
// as ".old".
func exchangeFolder(folder, fresh string) error {
	old := folder + ".old"
	if err := removal.Path(old); err != nil {
		return err
	}
	err := inuse.Rename(folder, old)
	if errors.Is(err, syscall.EXDEV) {
		// One that an overlay has from below it, as in a container of an image, can have no other name.
		if err = copyFolder(folder, old); err == nil {
			err = removal.Path(folder)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := inuse.Rename(fresh, folder); err != nil {
		return err
	}
	return errors.Join(atomicfile.SyncFolder(filepath.Dir(folder)), removal.Path(old))
}
