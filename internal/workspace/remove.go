package workspace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// maxDepth bounds how many folders are open at a time, two files for each. What
	// is nested deeper is moved up first.
	maxDepth = 100
	// maxMoved ends a race against somebody who nests faster than we remove.
	maxMoved = 100_000
	// maxPasses ends a race against somebody who creates faster than we remove.
	maxPasses = 16
	// batch is how many names are read at a time.
	batch = 1024
	// doomed begins the names of what is being removed. Every process that finds one may go on
	// with that.
	doomed = "_doomed."
)

// remover removes trees on one file system, from one folder.
type remover struct {
	ctx    context.Context
	top    *os.Root // deep folders are moved here
	device uint64
	moved  []string // names in top that are still to be removed
	moves  int
	freed  *Freed // nil if nobody counts
	alias  string // what is called so in top
	called string // was called so before, and is in what is told
}

// newRemover returns a remover of trees in top.
func newRemover(ctx context.Context, top *os.Root, freed *Freed) (*remover, error) {
	info, err := top.Stat(".")
	if err != nil {
		return nil, fmt.Errorf("looking at %q: %w", top.Name(), cause(err))
	}
	return &remover{ctx: ctx, top: top, device: device(info), freed: freed}, nil
}

// emptyFolder removes everything in a folder.
func emptyFolder(folder *os.Root) problems {
	var found problems
	r, err := newRemover(context.Background(), folder, nil)
	if err != nil {
		found.add(err)
		return found
	}
	found.merge(r.clear(folder, 0))
	found.merge(r.finish())
	return found
}

// removeTree removes what is called name in a folder, with all below it.
func removeTree(folder *os.Root, name string) problems {
	var found problems
	r, err := newRemover(context.Background(), folder, nil)
	if err != nil {
		found.add(err)
		return found
	}
	_, found = r.tree(name)
	return found
}

// tree removes what is called name in the top, with all below it.
func (r *remover) tree(name string) (gone bool, found problems) {
	gone, found = r.entry(r.top, name, 0)
	found.merge(r.finish())
	return gone && found.none() && r.ctx.Err() == nil, found
}

// finish removes the deep folders that were moved up meanwhile.
func (r *remover) finish() problems {
	var found problems
	for len(r.moved) > 0 {
		last := len(r.moved) - 1
		name := r.moved[last]
		r.moved = r.moved[:last]
		_, more := r.entry(r.top, name, 0)
		found.merge(more)
	}
	return found
}

// clear removes everything in a folder that is so many levels below the top. Some
// systems skip names while others are being removed, so it looks again until
// nothing more can be removed. Of what remains, the last look's problems are told.
func (r *remover) clear(folder *os.Root, depth int) problems {
	var found problems
	for range maxPasses {
		var removed int
		var seen int
		seen, removed, found = r.pass(folder, depth)
		if removed == 0 || seen < batch && found.none() {
			break
		}
	}
	return found
}

// pass looks at all names in a folder once. It returns how many there were, and
// how many of them are gone.
func (r *remover) pass(folder *os.Root, depth int) (seen, removed int, found problems) {
	listing, err := folder.Open(".")
	if err != nil {
		found.add(r.listing(folder, err))
		return 0, 0, found
	}
	defer listing.Close()
	for {
		names, err := listing.Readdirnames(batch)
		for _, name := range names {
			if r.ctx.Err() != nil {
				return 0, 0, found
			}
			seen++
			gone, more := r.entry(folder, name, depth)
			if gone {
				removed++
			}
			found.merge(more)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				found.add(r.listing(folder, err))
			}
			return seen, removed, found
		}
	}
}

// entry removes what is called name in a folder that is so many levels below the
// top, with all below it. It tries that before it looks, as this fails for every
// place where something is mounted, and takes one call for most names.
func (r *remover) entry(folder *os.Root, name string, depth int) (gone bool, found problems) {
	count := r.weigh(folder, name)
	err := folder.Remove(name)
	if err == nil {
		count()
		return true, found
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true, found
	}
	info, lookErr := folder.Lstat(name)
	switch {
	case busy(err), lookErr == nil && info.IsDir() && device(info) != r.device:
		found.add(r.removing(folder, name, fmt.Errorf("%w or in use: %w", ErrMounted, cause(err))))
		return false, found
	case lookErr != nil, !info.IsDir():
		found.add(r.removing(folder, name, err))
		return false, found
	}
	gone, found = r.folder(folder, name, depth, errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST))
	if gone || r.ctx.Err() != nil {
		return gone, found
	}
	if err = folder.Remove(name); err == nil || errors.Is(err, fs.ErrNotExist) {
		count()
		return true, problems{}
	}
	if found.none() {
		found.add(r.removing(folder, name, err))
	}
	return false, found
}

// folder removes everything in the folder called name, or moves it up, and then it
// is gone. Its own removal failed before: if not for being full, that did not prove
// that nothing is mounted there.
func (r *remover) folder(parent *os.Root, name string, depth int, full bool) (gone bool, found problems) {
	loosen(parent, name)
	if depth >= maxDepth && r.moves < maxMoved {
		if err := r.moveUp(parent, name); err != nil {
			found.add(r.removing(parent, name, err))
			return false, found
		}
		return true, found
	}
	folder, err := enter(parent, name)
	if err != nil {
		found.add(r.removing(parent, name, err))
		return false, found
	}
	defer folder.Close()
	info, err := folder.Stat(".")
	if err != nil || device(info) != r.device || (!full && !sameMount(parent, folder)) {
		found.add(r.removing(parent, name, ErrMounted))
		return false, found
	}
	return false, r.clear(folder, depth+1)
}

// moveUp moves a folder to the top, to be removed from there. Its way from the top
// may have become another one, which then ends in the same tree.
func (r *remover) moveUp(parent *os.Root, name string) error {
	way, err := filepath.Rel(r.top.Name(), parent.Name())
	if err != nil {
		return err
	}
	r.moves++
	fresh := doomed + rand.Text()
	if err := r.top.Rename(filepath.Join(way, name), fresh); err != nil {
		return err
	}
	r.moved = append(r.moved, fresh)
	return nil
}

// weigh looks at what is to be removed, as nobody can afterwards. count is called
// when it is gone.
func (r *remover) weigh(folder *os.Root, name string) (count func()) {
	if r.freed == nil {
		return func() {}
	}
	info, err := folder.Lstat(name)
	if err != nil {
		return func() {}
	}
	return func() {
		if !info.IsDir() {
			r.freed.Files++
		}
		if info.IsDir() || links(info) == 1 {
			r.freed.Bytes += onDisk(info)
		}
	}
}

// removing says what could not be removed.
func (r *remover) removing(folder *os.Root, name string, err error) error {
	return fmt.Errorf("removing %q: %w", r.path(filepath.Join(folder.Name(), name)), cause(err))
}

// listing says what could not be listed.
func (r *remover) listing(folder *os.Root, err error) error {
	return fmt.Errorf("listing %q: %w", r.path(folder.Name()), cause(err))
}

// path returns a path as it was before what is removed got another name.
func (r *remover) path(path string) string {
	path = filepath.Clean(path)
	if r.alias == "" {
		return path
	}
	return strings.Replace(path, r.alias, r.called, 1)
}

// problems are what went wrong on the way, which went on.
type problems struct {
	first []error
	more  int
}

// maxProblems is how many problems are told in full.
const maxProblems = 10

// add notes a problem, if err is one.
func (p *problems) add(err error) {
	switch {
	case err == nil:
	case len(p.first) < maxProblems:
		p.first = append(p.first, err)
	default:
		p.more++
	}
}

// merge notes the problems in q.
func (p *problems) merge(q problems) {
	for _, err := range q.first {
		p.add(err)
	}
	p.more += q.more
}

func (p *problems) none() bool { return len(p.first) == 0 }

// err returns all of them as one error, or nil.
func (p *problems) err() error {
	switch {
	case len(p.first) == 0:
		return nil
	case len(p.first) == 1 && p.more == 0:
		return p.first[0]
	case p.more > 0:
		return errors.Join(append(p.first, fmt.Errorf("and %d more", p.more))...)
	default:
		return errors.Join(p.first...)
	}
}

// isDoomed tells whether a name is of something that is being removed.
func isDoomed(name string) bool { return strings.HasPrefix(name, doomed) }
