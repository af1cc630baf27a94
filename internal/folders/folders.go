// Package folders opens folders that somebody else may change at any time, and tells what a caller got.
//
// What is below a folder is reached from it by one name at a time, through [os.Root]: a symbolic link is never followed,
// but for those on the way to a folder that only root and the caller could have put there.
package folders

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

var (
	// ErrNotFolder is something else, such as a link, in the place of a folder.
	ErrNotFolder = errors.New("not a folder")
	// errChanged is a name that meant one thing when it was looked at, and
	// another when it was opened.
	errChanged = errors.New("changed while it was looked at")
)

// maxLinks is how many links a path may go through before it is called a loop.
const maxLinks = 40

// Open opens a folder by its path, and returns that path without links. As
// long as nobody but root and the caller can change a folder, the links in it are
// theirs and are followed. From the first other folder on, none is.
func Open(path string) (*os.Root, string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, "", fmt.Errorf("opening %q: %w", path, err)
	}
	at, rest, err := safePart(abs)
	if err != nil {
		return nil, abs, fmt.Errorf("opening %q: %w", path, Cause(err))
	}
	base, err := os.OpenRoot(at)
	if err != nil {
		return nil, abs, fmt.Errorf("opening %q: %w", path, Cause(err))
	}
	if len(rest) == 0 {
		return base, at, nil
	}
	defer base.Close()
	folder, err := Descend(base, rest)
	return folder, filepath.Join(at, filepath.Join(rest...)), err // no "..": Descend does not take it
}

// safePart splits an absolute path into a part without links that no job can
// change, and the names that follow.
func safePart(path string) (at string, rest []string, err error) {
	at, rest = Split(filepath.Clean(path))
	for links := 0; len(rest) > 0; {
		folder, err := os.Lstat(at)
		if err != nil {
			return at, rest, err
		}
		if !unchangeable(folder) {
			break
		}
		next := filepath.Join(at, rest[0]) // at has no links: ".." is resolved by name
		info, err := os.Lstat(next)
		if err != nil {
			return at, rest, err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at, rest = next, rest[1:]
			continue
		}
		if links++; links > maxLinks {
			return at, rest, errors.New("too many links")
		}
		target, err := os.Readlink(next)
		if err != nil {
			return at, rest, err
		}
		// Not cleaned: ".." behind a link is not what it seems to be.
		top, names := Split(target)
		if filepath.IsAbs(target) {
			at = top
		}
		rest = append(names, rest[1:]...)
	}
	return at, rest, nil
}

// Split returns the top of a path, for absolute ones, and the names below.
func Split(path string) (top string, names []string) {
	top = filepath.VolumeName(path)
	below := path[len(top):]
	names = strings.FieldsFunc(filepath.ToSlash(below), func(r rune) bool { return r == '/' })
	return top + string(filepath.Separator), names
}

// Descend opens the folder that names lead to from base, which stays open. With no names it is base itself.
func Descend(base *os.Root, names []string) (*os.Root, error) {
	for i, name := range names {
		next, err := enterNamed(base, name)
		if i > 0 {
			_ = base.Close() // it was only read from
		}
		if err != nil {
			return nil, err
		}
		base = next
	}
	return base, nil
}

// enterNamed is Enter with errors that name the folder.
func enterNamed(parent *os.Root, name string) (*os.Root, error) {
	folder, err := Enter(parent, name)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", filepath.Join(parent.Name(), name), err)
	}
	return folder, nil
}

// Enter opens the folder called name in parent, which is one element. What is no folder is [ErrNotFolder]. Errors are
// bare: the caller says which folder.
func Enter(parent *os.Root, name string) (*os.Root, error) {
	before, err := parent.Lstat(name)
	if err != nil {
		return nil, Cause(err)
	}
	if !before.IsDir() {
		return nil, ErrNotFolder
	}
	// With the dot, name is opened as a folder only. A pipe that took its place
	// would have the opening wait for a writer.
	folder, err := parent.OpenRoot(name + string(filepath.Separator) + ".")
	if err != nil {
		return nil, Cause(err)
	}
	// os.Root follows links that stay inside: only the very folder that was there
	// before is not behind one.
	now, err := folder.Stat(".")
	if err == nil && !os.SameFile(before, now) {
		err = errChanged
	}
	if err != nil {
		_ = folder.Close() // what has failed is known
		return nil, Cause(err)
	}
	return folder, nil
}

// Own opens the folder called name in parent, even if its mode keeps its owner, who calls this, out. It then lets the owner in, and stays
// so: a folder that nobody can enter is of use to nobody.
func Own(parent *os.Root, name string) (*os.Root, error) {
	loosen(parent, name)
	return enterNamed(parent, name)
}

// loosen lets the owner of a folder into it, if the owner is who calls this.
// Root needs no such thing, and must not change modes in trees of others by their names: what
// has taken the place of the folder would be changed.
func loosen(parent *os.Root, name string) {
	const all = 0o700
	if powerful() {
		return
	}
	if info, err := parent.Lstat(name); err == nil && info.IsDir() && info.Mode()&all != all {
		_ = parent.Chmod(name, info.Mode()|all) // who opens it says what is wrong
	}
}

// Cause drops the path in an error of package os. It is relative, and not quoted.
func Cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
