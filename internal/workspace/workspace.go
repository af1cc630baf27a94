// Package workspace removes what jobs leave on the disk of a runner.
//
// The caller is often root, and the trees belong to the account that jobs run
// as, so everything in them may be hostile and may change at any time. Whatever
// is below a runner's root is reached from its parent folder, by one name at a
// time, through [os.Root]: a symbolic link is removed, never followed. Other file
// systems and mount points in a tree are left alone and reported.
package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// What is left alone, and why.
var (
	// ErrNotFolder is something else, such as a link, in the place of a folder.
	ErrNotFolder = errors.New("not a folder")
	// ErrMounted is another file system, or another place of the same one.
	ErrMounted = errors.New("mounted from elsewhere")
	// errChanged is a name that meant one thing when it was looked at, and
	// another when it was opened.
	errChanged = errors.New("changed while it was looked at")
	// ErrContainsRunner is a work folder that the runner itself is in.
	ErrContainsRunner = errors.New("contains the runner")
)

const (
	defaultWork = "_work"
	diag        = "_diag"
)

// Empty removes what an ephemeral job left: everything inside the work folder,
// and the parts of its logs below _diag. root is the runner's root, the parent of
// bin; work is the work folder, relative to root or absolute, "_work" if empty.
//
// After success the work folder is empty, and is the same folder with the same
// owner and mode. A folder that does not exist is a success. After a failure
// everything is gone but what the error names, and of that only the first few. It
// may be repeated, and goes on where it was killed.
//
// A link in the place of the work folder is not followed, and is an error. Links on
// the way to root or to an absolute work folder are followed as long as nobody but
// root and the caller could have put them there.
func Empty(root, work string) error {
	var found problems
	base, at, err := openPath(root)
	if err == nil {
		defer base.Close()
		found.merge(emptyDiag(base))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder, done, err := openWork(base, at, work)
	if err == nil {
		found.merge(emptyFolder(folder))
		found.add(done())
	} else if !errors.Is(err, fs.ErrNotExist) {
		found.add(err)
	}
	return found.err()
}

// EmptyLogs removes the parts of job logs below _diag, and nothing else: the work folder is somebody else's.
func EmptyLogs(root string) error {
	base, _, err := openPath(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer base.Close()
	found := emptyDiag(base)
	return found.err()
}

// emptyDiag removes the parts of job logs. The runner makes their folders again.
func emptyDiag(base *os.Root) problems {
	var found problems
	folder, done, err := openOwn(base, diag)
	if errors.Is(err, fs.ErrNotExist) {
		return found
	}
	if err != nil {
		found.add(err)
		return found
	}
	for _, name := range []string{"pages", "blocks"} {
		found.merge(removeTree(folder, name))
	}
	found.add(done())
	return found
}

// openWork opens the work folder of the runner in base, whose path without links
// is at. base is nil if there is none. done closes the folder.
func openWork(base *os.Root, at, work string) (folder *os.Root, done func() error, err error) {
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
	folder, _, err = openPath(work)
	if err != nil {
		return nil, nil, err
	}
	if err := outside(folder, at); err != nil {
		_ = folder.Close()
		return nil, nil, fmt.Errorf("opening the work folder %q: %w", work, err)
	}
	return folder, folder.Close, nil
}

// openBelow opens the work folder at a path below base.
func openBelow(base *os.Root, work string) (folder *os.Root, done func() error, err error) {
	if base == nil {
		return nil, nil, fs.ErrNotExist
	}
	around, name := filepath.Split(work)
	_, names := split(around)
	parent, err := descend(base, names)
	if err != nil {
		return nil, nil, err
	}
	if parent != base {
		defer parent.Close() // openOwn's folder does not need it
	}
	return openOwn(parent, name)
}

// outside checks that folder is neither the one at a path nor around it. It is no
// defence against jobs, but against a work folder that was mistyped.
func outside(folder *os.Root, at string) error {
	info, err := folder.Stat(".")
	if err != nil {
		return cause(err)
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
