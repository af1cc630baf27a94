// Package removal removes trees that somebody else may write to while they are removed.
//
// The caller is often root, and the trees belong to the account that jobs run as, so everything in them may be hostile and
// may change at any time. What is in a tree is reached from its parent folder, by one name at a time: a symbolic link is
// removed, never followed, and a path is never walked twice. What is mounted in a tree, a place of the same file system
// included, is neither entered nor touched; it is told by [MountedError], and everything around it is removed. A tree may
// be nested as deep, and be as large, as it likes: the descriptors and the memory that are used are bounded.
package removal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// Freed is what was removed.
type Freed struct {
	Files int   // everything but folders
	Bytes int64 // on the disk, where the system tells, else the sizes of files
}

// Path removes what is at a path, with all below it. One that is not there is a success. Links on the way to it are
// followed as long as nobody but root and the caller could have put them there; at the first other one it is
// [folders.ErrNotFolder]. A link at the path itself is removed as one. It may be repeated, and goes on where it was killed.
func Path(path string) error {
	parent, at, err := folders.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing %q: %w", filepath.Join(at, filepath.Base(path)), err)
	}
	defer parent.Close()
	return Tree(parent, filepath.Base(path))
}

// Tree removes what is called name in a folder, with all below it. One that is not there is a success. After a failure
// everything is gone but what the error names, and what that lies in. It may be repeated.
func Tree(parent *os.Root, name string) error {
	_, err := Counted(context.Background(), parent, name, "", nil)
	return err
}

// Counted is [Tree] until the context ends, and adds what it has removed to freed unless that is nil. When the context has
// ended it returns between two files, without an error for that; gone tells whether all is removed. What is told calls the
// tree by the name that it had before, unless called is empty.
func Counted(ctx context.Context, parent *os.Root, name, called string, freed *Freed) (gone bool, err error) {
	dir, err := openat.Open(parent)
	if err != nil {
		return false, fmt.Errorf("removing %q: %w", filepath.Join(parent.Name(), name), folders.Cause(err))
	}
	defer dir.Close()
	r := newRemover(ctx, freed)
	if called != "" {
		r.alias, r.called = name, called
	}
	gone, found := r.tree(dir, parent.Name(), name)
	return gone && ctx.Err() == nil, found.Err()
}

// Inside removes everything in a folder, which stays. It is as [Tree] otherwise.
func Inside(outer *os.Root) error { return Except(outer, nil) }

// Except removes everything in a folder, which stays, but what bears a name that keep wants; nil wants none.
func Except(outer *os.Root, keep func(name string) bool) error {
	dir, err := openat.Open(outer)
	if err != nil {
		return fmt.Errorf("emptying %q: %w", outer.Name(), folders.Cause(err))
	}
	defer dir.Close()
	r := newRemover(context.Background(), nil)
	r.top, r.path, r.keep = dir, outer.Name(), keep
	found := r.clear(dir, 0)
	return found.Err()
}
