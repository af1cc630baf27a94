package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
)

// unitMode lets everybody read a unit, as systemctl cat does for them.
const unitMode fs.FileMode = 0o644

// maskedError says that the unit's place is taken by a link, which is how systemctl mask forbids a unit.
type maskedError struct{ path, target string }

func (e *maskedError) Error() string {
	return fmt.Sprintf("reading unit file %q: it is a link to %q, so somebody masked the unit", e.path, e.target)
}

// unitFile is the place of a unit on disk, with the links to it, whatever systemd knows of them.
type unitFile struct {
	folder string
	name   string // with ".service"
}

// onDisk is what there is at that place before it is changed, so that a failure can put it back.
type onDisk struct {
	present bool
	text    []byte
	mode    fs.FileMode
	links   []string // from the .wants and .requires folders of targets
}

// holds tells whether that text is there, for everybody to read.
func (d onDisk) holds(text string) bool {
	return d.present && string(d.text) == text && d.mode.Perm() == unitMode
}

func (u unitFile) path() string { return filepath.Join(u.folder, u.name) }

// look reads the unit file and finds the links to it. The links are there even with a *maskedError.
func (u unitFile) look() (onDisk, error) {
	links, err := u.links()
	if err != nil {
		return onDisk{}, err
	}
	disk := onDisk{links: links}
	info, err := os.Lstat(u.path())
	if errors.Is(err, fs.ErrNotExist) {
		return disk, nil
	}
	if err != nil {
		return onDisk{}, fmt.Errorf("reading unit file: %w", err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(u.path())
		if err != nil {
			return onDisk{}, fmt.Errorf("reading unit file: %w", err)
		}
		return disk, &maskedError{path: u.path(), target: target}
	}
	if !info.Mode().IsRegular() {
		return onDisk{}, fmt.Errorf("reading unit file %q: it is not a regular file", u.path())
	}
	if disk.text, err = os.ReadFile(u.path()); err != nil {
		return onDisk{}, fmt.Errorf("reading unit file: %w", err)
	}
	disk.present, disk.mode = true, info.Mode()
	return disk, nil
}

// links finds what makes targets start the unit, dangling ones too, which systemctl disable does not see.
func (u unitFile) links() ([]string, error) {
	var found []string
	for _, folders := range []string{"*.wants", "*.requires"} {
		// The name has no character that means anything to Glob: New and Named saw to that.
		matches, err := filepath.Glob(filepath.Join(u.folder, folders, u.name))
		if err != nil {
			return nil, fmt.Errorf("finding links to unit %q: %w", u.name, err)
		}
		found = append(found, matches...)
	}
	return found, nil
}

// write makes the unit file appear at once and whole. It is written beside its place, since a rename needs the same
// file system and takes the folder's security label along; systemd does not read names that start with a dot.
func (u unitFile) write(text []byte) error {
	if err := atomicfile.Write(u.path(), text, atomicfile.Options{Mode: unitMode, Durable: true}); err != nil {
		return fmt.Errorf("writing unit file: %w", err)
	}
	return nil
}

// unlink removes the links to the unit, less those to keep.
func (u unitFile) unlink(keep []string) error {
	links, err := u.links()
	if err != nil {
		return err
	}
	for _, link := range links {
		if slices.Contains(keep, link) {
			continue
		}
		if err := remove(link); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes one file; one that is gone already is fine.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing unit file: %w", err)
	}
	return nil
}
