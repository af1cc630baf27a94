// Package workspace removes what jobs leave on the disk of a runner.
//
// The caller is often root, and the trees belong to the account that jobs run
// as, so everything in them may be hostile and may change at any time. Whatever
// is below a runner's root is reached from its parent folder, by one name at a
// time, through [os.Root]: a symbolic link is removed, never followed. Other file
// systems and mount points in a tree are left alone and reported.
package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// ErrContainsRunner is a work folder that the runner itself is in.
var ErrContainsRunner = errors.New("contains the runner")

const (
	defaultWork = "_work"
	diag        = "_diag"
)

// Empty removes what an ephemeral job left: everything inside the work folder,
// and all in _diag but the logs. root is the runner's root, the parent of
// bin; work is the work folder, relative to root or absolute, "_work" if empty. uid is the account that jobs run as, negative where
// none is known.
//
// After success the work folder is empty, and is the same folder with the same
// owner. If that is the account, what a job can have set on the two folders themselves is gone as well, as the next one's files would have
// it from them: access lists, attributes of users, and what their modes allow beyond 0755, while the account itself may do all. What an
// administrator has set on a folder of another's stays. A folder that does not exist is a success. After a failure
// everything is gone but what the error names, and of that only the first few. It
// may be repeated, and goes on where it was killed.
//
// A link in the place of the work folder is not followed, and is an error. What is mounted in it, or on a work folder
// within root, is left whole, and is a [removal.MountedError]. Links on
// the way to root or to an absolute work folder are followed as long as nobody but
// root and the caller could have put them there.
func Empty(root, work string, uid int) error {
	var found removal.Problems
	base, at, err := folders.Open(root)
	if err == nil {
		defer base.Close()
		found.Add(emptyDiag(base, uid))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	found.Add(emptyWork(base, at, work, uid))
	return found.Err()
}

// emptyWork removes everything in the work folder, and what was set on it.
func emptyWork(base *os.Root, at, work string, uid int) error {
	if local := filepath.Clean(cmp.Or(work, defaultWork)); base != nil && filepath.IsLocal(local) {
		if err := mountedWithin(base, local); err != nil {
			return err
		}
	}
	w, err := openWork(base, at, work)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if w.mounted {
		return errors.Join(&removal.MountedError{Points: []string{w.folder.Name()}}, w.close())
	}
	var found removal.Problems
	found.Add(removal.Inside(w.folder))
	found.Add(plain(w.folder, uid))
	found.Add(w.close())
	return found.Err()
}

// EmptyLogs is [Empty] for _diag alone: the work folder is somebody else's, or goes with the runner's directory.
func EmptyLogs(root string, uid int) error {
	base, _, err := folders.Open(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer base.Close()
	return emptyDiag(base, uid)
}

// emptyDiag removes all but the logs. The runner makes folders again.
func emptyDiag(base *os.Root, uid int) error {
	if err := silent(base, diag); err != nil {
		return err
	}
	folder, err := folders.Own(base, diag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	var found removal.Problems
	found.Add(keepLogs(folder, uid, time.Now()))
	found.Add(plain(folder, uid))
	return found.Err()
}

// workFolder is the folder for jobs, open.
type workFolder struct {
	folder *os.Root
	close  func() error
	// mounted is set where an administrator has mounted a disk on the one in the runner's root. What is on it is not ours.
	mounted bool
}

// openWork opens the work folder of the runner in base, whose path without links
// is at. base is nil if there is none.
func openWork(base *os.Root, at, work string) (workFolder, error) {
	if work == "" {
		work = defaultWork
	}
	work = filepath.Clean(work)
	if filepath.IsLocal(work) && work != "." {
		return openBelow(base, work)
	}
	if !filepath.IsAbs(work) {
		work = filepath.Join(at, work)
	}
	folder, _, err := folders.Open(work)
	if err != nil {
		return workFolder{}, err
	}
	if err := outside(folder, at); err != nil {
		_ = folder.Close()
		return workFolder{}, fmt.Errorf("opening the work folder %q: %w", work, err)
	}
	return workFolder{folder: folder, close: folder.Close}, nil
}

// openBelow opens the work folder at a path below base.
func openBelow(base *os.Root, work string) (workFolder, error) {
	if base == nil {
		return workFolder{}, fs.ErrNotExist
	}
	around, name := filepath.Split(work)
	_, names := folders.Split(around)
	parent, err := folders.Descend(base, names)
	if err != nil {
		return workFolder{}, err
	}
	if parent != base {
		defer parent.Close() // that of Own does not need it
	}
	folder, err := folders.Own(parent, name)
	if err != nil {
		return workFolder{}, err
	}
	return workFolder{folder: folder, close: folder.Close, mounted: mounted(base, folder, work)}, nil
}

// mounted tells whether something is mounted on a folder at a path below base, or on the way to it.
func mounted(base, folder *os.Root, path string) bool {
	outer, err := base.Stat(".")
	if err != nil {
		return true
	}
	inner, err := folder.Stat(".")
	return err != nil || device(inner) != device(outer) || !samePlace(base, folder, path)
}

// outside checks that folder is neither the one at a path nor around it. It is no
// defence against jobs, but against a work folder that was mistyped.
func outside(folder *os.Root, at string) error {
	info, err := folder.Stat(".")
	if err != nil {
		return folders.Cause(err)
	}
	for {
		around, err := os.Lstat(at)
		if err == nil && os.SameFile(info, around) {
			return ErrContainsRunner
		}
		parent := filepath.Dir(at)
		if parent == at {
			return nil
		}
		at = parent
	}
}
