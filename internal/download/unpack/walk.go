package unpack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/stamp"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/workers"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// Files from this size on are shared out one by one.
const bigFile = 4 << 20

// walk goes through a tree, holds it against its manifest, and copies it if there
// is a place to copy to.
type walk struct {
	manifest *Manifest
	folders  []folder
	places   []int32 // of a directory's entry, in folders

	from  *os.Root
	to    *os.Root // nil: only compare
	owner Owner
	exact bool // the modes given at creation are those that come out

	reflink atomic.Bool
	// marks, unless nil, gets what each file is known by, in the place of a look at its content.
	marks stamp.Stamp
	// shared gives to the files themselves under second names; of directories and links nothing is used but what the manifest
	// says. Noted, unless nil, is what each file has to be known by. Begun is a moment before the first name was given; zero: what
	// a file is known by then has to be looked at.
	shared bool
	noted  stamp.Stamp
	begun  int64
	// beside are names that may be in the root directory as well.
	beside []string
	us     int // the account of this process
	tasks  *workers.Queue[task]
}

func newWalk(m *Manifest, from *os.Root) *walk {
	w := &walk{manifest: m, from: from, us: os.Geteuid()}
	w.folders, w.places = m.folders()
	return w
}

// run goes through the whole tree, and returns the first difference or failure.
func (w *walk) run(ctx context.Context) error {
	from, to, err := w.open()
	if err != nil {
		return err
	}
	defer from.Close()
	if to != nil {
		defer to.Close()
	}
	several := w.workers()
	w.tasks = workers.NewQueue(several, task{folder: 0, file: -1})
	err = workers.Run(ctx, several, func(ctx context.Context, number int) error {
		p := &pair{
			walk: w, number: number,
			from: openat.Chain{Top: from, Names: w.shared}, to: openat.Chain{Top: to, Names: w.shared},
		}
		defer p.close()
		if w.marks == nil {
			p.buffer = make([]byte, bufferSize)
		}
		return w.tasks.Work(ctx, number, func(t task) error { return p.do(ctx, t) })
	})
	if err != nil {
		return err
	}
	return w.hardLinks()
}

// workers are how many go through the tree. One enters each directory once: several, where nothing is read and nothing made, would wait
// for the kernel in each other's way, and take twice the time of all processors for little less of the clock's.
func (w *walk) workers() int {
	if w.marks != nil && w.to == nil {
		return 1
	}
	return max(2, min(4, runtime.NumCPU()))
}

// open opens both trees again; to is nil where there is none.
func (w *walk) open() (from, to *openat.Dir, err error) {
	if from, err = openat.Open(w.from); err != nil {
		return nil, nil, missing(".", err)
	}
	if w.to == nil {
		return from, nil, nil
	}
	if to, err = openat.Open(w.to); err != nil {
		from.Close()
		return nil, nil, err
	}
	return from, to, nil
}

// hardLinks comes after everything that could be linked to.
func (w *walk) hardLinks() error {
	for i := range w.manifest.entries {
		e := &w.manifest.entries[i]
		if e.kind != aHardLink {
			continue
		}
		link, err := w.from.Lstat(e.path)
		if err != nil {
			return missing(e.path, err)
		}
		file, err := w.from.Lstat(e.target)
		if err != nil {
			return missing(e.target, err)
		}
		if !os.SameFile(link, file) {
			return fmt.Errorf("%w: %q is no second name of %q", ErrDamaged, e.path, e.target)
		}
		if w.to == nil {
			continue
		}
		if err := w.to.Link(e.target, e.path); err != nil {
			return fmt.Errorf("linking %q: %w", e.path, err)
		}
	}
	return nil
}

// task is a folder to go through, or one file that is big enough to be a task of
// its own.
type task struct {
	folder int32
	file   int32 // entry; none if negative
}

// pair is what one worker has open in both trees.
type pair struct {
	*walk

	number   int // of the worker
	from, to openat.Chain
	buffer   []byte // unless nothing is read
}

func (p *pair) close() {
	p.from.Close()
	p.to.Close()
}

func (p *pair) do(ctx context.Context, t task) error {
	dir := p.folders[t.folder]
	from, err := p.from.At(dir.path)
	if err != nil {
		return missing(dir.path, err)
	}
	var to *openat.Dir
	if p.to.Top != nil {
		if to, err = p.to.At(dir.path); err != nil {
			return err
		}
	}
	if t.file >= 0 {
		return p.file(ctx, &p.manifest.entries[t.file], from, to)
	}
	if !p.shared {
		if err := p.names(dir, from); err != nil {
			return err
		}
	}
	for _, kid := range dir.kids {
		e := &p.manifest.entries[kid]
		switch {
		case e.kind == aDir:
			if err := p.folder(e, from, to); err != nil {
				return err
			}
			if e.path != p.manifest.hollow {
				p.tasks.Add(p.number, task{folder: p.places[kid], file: -1})
			}
		case e.kind == aLink:
			err = p.link(e, from, to)
		case e.kind == aHardLink:
		case p.shared:
			p.marks[kid], err = p.second(kid, from, to)
		case p.marks != nil:
			p.marks[kid], err = p.mark(e, from)
		case e.size >= bigFile:
			p.tasks.AddFirst(task{folder: t.folder, file: kid})
		default:
			err = p.file(ctx, e, from, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// names looks for what should not be in a directory, or not of its type. What is
// missing turns up when it is opened.
func (p *pair) names(dir folder, from *openat.Dir) error {
	list, err := from.List()
	if err != nil {
		return missing(dir.path, err)
	}
	for _, found := range list {
		i, ok := slices.BinarySearchFunc(dir.kids, found.Name, func(kid int32, name string) int {
			return strings.Compare(last(p.manifest.entries[kid].path), name)
		})
		if !ok && dir.path == "." && slices.Contains(p.beside, found.Name) {
			continue
		}
		if !ok {
			return fmt.Errorf("%w: %q was added", ErrDamaged, path.Join(dir.path, found.Name))
		}
		want := fs.FileMode(0)
		switch p.manifest.entries[dir.kids[i]].kind {
		case aDir:
			want = fs.ModeDir
		case aLink:
			want = fs.ModeSymlink
		}
		if found.Type != want {
			return fmt.Errorf("%w: %q is of another type", ErrDamaged, p.manifest.entries[dir.kids[i]].path)
		}
	}
	return nil
}

// folder makes a directory; what is in it comes with a task of its own.
func (p *pair) folder(e *entry, from, to *openat.Dir) error {
	base := last(e.path)
	if !p.shared {
		if err := p.same(e, from); err != nil {
			return err
		}
	}
	if to == nil {
		return nil
	}
	var err error
	if err := to.Mkdir(base, e.perm()); err != nil {
		return fmt.Errorf("making directory %q: %w", e.path, err)
	}
	if !p.exact {
		err = p.moded(e, to.Chmod(base, e.perm()))
	}
	return errors.Join(err, p.own(e, to))
}

// same compares what the file system tells about a directory.
func (p *pair) same(e *entry, from *openat.Dir) error {
	found, err := from.Status(last(e.path))
	if err != nil {
		return missing(e.path, err)
	}
	// A directory may have inherited the group of the one above.
	if hasModes() && found.Mode&^fs.ModeSetgid != fs.ModeDir|e.perm() {
		return fmt.Errorf("%w: directory %q has another mode, %v", ErrDamaged, e.path, found.Mode)
	}
	return p.ours(e, found)
}

func (p *pair) link(e *entry, from, to *openat.Dir) error {
	base := last(e.path)
	if !p.shared {
		target, err := from.Readlink(base)
		if err != nil {
			return missing(e.path, err)
		}
		if target != e.target {
			return fmt.Errorf("%w: link %q leads to %.300q", ErrDamaged, e.path, target)
		}
	}
	if to == nil {
		return nil
	}
	if err := to.Symlink(e.target, base); err != nil {
		return fmt.Errorf("making link %q: %w", e.path, err)
	}
	return p.own(e, to)
}

// own gives away what has no file descriptor.
func (p *pair) own(e *entry, to *openat.Dir) error {
	if !p.owner.chowns() {
		return nil
	}
	return p.given(e, to.Chown(last(e.path), p.owner.UID, p.owner.GID))
}

// meta compares what the file system tells about a file.
func meta(e *entry, found openat.Status) error {
	switch {
	case !found.Mode.IsRegular():
		return fmt.Errorf("%w: %q is of another type", ErrDamaged, e.path)
	case found.Size != e.size:
		return fmt.Errorf("%w: %q has another size, %d", ErrDamaged, e.path, found.Size)
	case hasModes() && found.Mode != e.perm():
		return fmt.Errorf("%w: %q has another mode, %v", ErrDamaged, e.path, found.Mode)
	case !found.Modified.Equal(time.Unix(e.mtime, 0)):
		return fmt.Errorf("%w: %q was changed at %v", ErrDamaged, e.path, found.Modified.UTC())
	}
	return nil
}

// hasModes tells whether the system keeps the modes that files are given.
func hasModes() bool { return runtime.GOOS != "windows" }

// missing tells what is not there from what cannot be looked at.
func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %q is missing", ErrDamaged, name)
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("%w: %q is of another type", ErrDamaged, name)
	}
	return fmt.Errorf("looking at %q: %w", name, err)
}
