package removal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

const (
	// maxDepth bounds how many folders are open at a time. What is nested deeper is moved up to the top first.
	maxDepth = 64
	// hardDepth is how deep it goes where nothing can be moved up: on a full disk, or out of a subvolume.
	hardDepth = 400
	// maxMoves ends a race against somebody who nests faster than we remove.
	maxMoves = 1_000_000
	// maxPasses ends a race against somebody who creates faster than we remove.
	maxPasses = 16
	// few is how many names any system lists without skipping one while others are being removed.
	few = 512
	// buffered is how many bytes of names are read at a time, about a thousand names.
	buffered = 32 << 10
	// doomed begins the names of what is being removed. Every process that finds one may go on with that.
	doomed = "_doomed."
)

// errDeep means that somebody has nested folders faster than they could be removed, or that they cannot be moved.
var errDeep = errors.New("nested too deep")

// Doomed returns a new name for what is going to be removed.
func Doomed() string { return doomed + rand.Text() }

// IsDoomed tells whether a name is of something that is being removed.
func IsDoomed(name string) bool { return strings.HasPrefix(name, doomed) }

// remover removes one tree. Deep folders are moved up to its top, which holds nothing but what is to be removed, so that
// they need no place of their own, and the one who goes on after a kill finds them there.
type remover struct {
	ctx    context.Context
	freed  *Freed // nil if nobody counts
	top    *openat.Dir
	path   string // of the top, where the system does not tell it
	moves  int
	prefix string // of the names that moved folders get
	buffer []byte
	keep   func(name string) bool // tells what stays in the top; nil for nothing
	alias  string                 // the name of the tree, where it
	called string                 // was called so before, and is in what is told
	// patience is what is waited for other programs that have something open.
	patience inuse.Patience
}

func newRemover(ctx context.Context, freed *Freed) *remover {
	return &remover{ctx: ctx, freed: freed, prefix: Doomed()}
}

// tree removes what is called name in a folder.
func (r *remover) tree(parent *openat.Dir, path, name string) (gone bool, found Problems) {
	r.path = path
	name = parent.Reach(name, r.prefix)
	removed, isDir := r.entry(parent, name, &found)
	if removed || !isDir {
		return removed, found
	}
	top, err := r.enter(parent, name)
	if err != nil {
		r.problem(&found, parent, name, err)
		return false, found
	}
	defer top.Close()
	r.top, r.path = top, filepath.Join(path, name)
	found = r.clear(top, 0)
	return r.last(parent, name, &found), found
}

// last removes a folder that was emptied.
func (r *remover) last(parent *openat.Dir, name string, found *Problems) (gone bool) {
	count := r.weigh(parent, name)
	err := r.patiently(parent, name, parent.Rmdir)
	switch {
	case err == nil:
		count()
	case errors.Is(err, fs.ErrNotExist):
	case found.none() && r.ctx.Err() == nil:
		r.problem(found, parent, name, err)
		return false
	default:
		return false // what is in it is told, or will be removed another time
	}
	*found = Problems{}
	return true
}

// clear removes everything in a folder that is so many levels below the top. Some systems skip names while others are
// being removed, so it looks again until nothing more can be removed. Of what remains, the last look's problems are told.
func (r *remover) clear(dir *openat.Dir, depth int) Problems {
	for pass := 1; ; pass++ {
		moves := r.moves
		seen, removed, found := r.pass(dir, depth)
		if r.ctx.Err() != nil {
			return found
		}
		if depth == 0 && r.moves > moves {
			pass = 0 // what was moved here is no race: that has its own bound
			continue
		}
		if removed == 0 || seen < few && found.none() || pass >= maxPasses {
			return found
		}
	}
}

// pass looks at all names in a folder once. It returns how many there were, and how many of them are gone.
func (r *remover) pass(dir *openat.Dir, depth int) (seen, removed int, found Problems) {
	if r.buffer == nil { // files alone, of which there may be thousands, need none
		r.buffer = make([]byte, buffered)
	}
	listing, err := dir.Names(r.buffer)
	if err != nil {
		r.problem(&found, dir, "", err)
		return 0, 0, found
	}
	defer listing.Close()
	for {
		names, err := listing.Next()
		if err != nil {
			r.problem(&found, dir, "", err)
		}
		if err != nil || len(names) == 0 {
			return seen, removed, found
		}
		for _, name := range names {
			if r.ctx.Err() != nil {
				return seen, removed, found
			}
			if depth == 0 && r.keep != nil && r.keep(name) {
				continue
			}
			seen++
			if r.all(dir, name, depth, &found) {
				removed++
			}
		}
	}
}

// all removes what is called name in a folder that is so many levels below the top, with all below it.
func (r *remover) all(dir *openat.Dir, name string, depth int, found *Problems) (gone bool) {
	name = dir.Reach(name, r.prefix)
	gone, isDir := r.entry(dir, name, found)
	if gone || !isDir {
		return gone
	}
	if depth+1 >= maxDepth {
		moved, err := r.moveUp(dir, name)
		if moved || depth+1 >= hardDepth {
			r.problem(found, dir, name, err)
			return moved
		}
	}
	inner, err := r.enter(dir, name)
	if err != nil {
		r.problem(found, dir, name, err)
		return false
	}
	defer inner.Close()
	below := r.clear(inner, depth+1)
	gone = r.last(dir, name, &below)
	found.merge(below)
	return gone
}

// entry removes what takes one call: everything but a folder with something in it. It tries before it looks, as this
// fails for every place where something is mounted, and one call does for most names. isDir says that it is a folder
// which has to be emptied first.
func (r *remover) entry(dir *openat.Dir, name string, found *Problems) (gone, isDir bool) {
	count := r.weigh(dir, name)
	err := r.patiently(dir, name, dir.Unlink)
	if errors.Is(err, syscall.EISDIR) {
		if err = dir.Rmdir(name); errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
			return false, true
		}
	}
	switch {
	case err == nil:
		count()
		return true, false
	case errors.Is(err, fs.ErrNotExist):
		return true, false
	}
	switch status, lookErr := openat.Here(dir, name); {
	case openat.InUse(lookErr):
		err = ErrMounted
	case lookErr == nil && status.Mode.IsDir() && !openat.InUse(err):
		return false, true // what is in it can be removed all the same
	}
	r.problem(found, dir, name, err)
	return false, false
}

// enter opens a folder to be emptied. That its removal failed for being full, a moment ago, does not prove that nothing is
// mounted on it now: what was opened is asked. What is mounted there later does not matter, as it is not what is open.
func (r *remover) enter(dir *openat.Dir, name string) (*openat.Dir, error) {
	dir.Loosen(name)
	inner, err := openat.EnterHere(dir, name)
	if openat.InUse(err) {
		err = ErrMounted
	}
	if err != nil {
		return nil, err
	}
	if !inner.SameMount(dir) {
		inner.Close()
		return nil, ErrMounted
	}
	return inner, nil
}

// moveUp moves a folder to the top, where the next look at that removes it. It is moved from the folder that is open, so
// it does not matter where a job has moved that to meanwhile.
func (r *remover) moveUp(dir *openat.Dir, name string) (moved bool, err error) {
	if r.moves >= maxMoves {
		return false, errDeep
	}
	dir.Loosen(name) // its way back to the folder above is a change in it
	err = r.patiently(dir, name, func(name string) error { return dir.Move(name, r.top, fmt.Sprintf("%s.%d", r.prefix, r.moves)) })
	if err != nil {
		return false, err
	}
	r.moves++
	return true, nil
}

// weigh looks at what is to be removed, as nobody can afterwards. count is called when it is gone.
func (r *remover) weigh(dir *openat.Dir, name string) (count func()) {
	if r.freed == nil {
		return func() {}
	}
	status, err := openat.Here(dir, name)
	if err != nil {
		return func() {}
	}
	return func() {
		isDir := status.Mode.IsDir()
		if !isDir {
			r.freed.Files++
		}
		if isDir || status.Links <= 1 {
			r.freed.Bytes += status.Disk
		}
	}
}

// patiently does something with a name in a folder, and waits for a program that has it open.
func (r *remover) patiently(dir *openat.Dir, name string, do func(name string) error) error {
	return r.patience.Try(func() []string { return []string{r.at(dir, name)} }, func() error { return do(name) })
}

// at is the path of a name in a folder, which is for what is told alone.
func (r *remover) at(dir *openat.Dir, name string) string {
	place := dir.Place()
	if place == "" {
		place = r.path
	}
	return filepath.Join(place, name)
}

// problem notes what could not be removed, if err is a reason; name is empty for the listing of dir itself.
func (r *remover) problem(found *Problems, dir *openat.Dir, name string, err error) {
	if err == nil {
		return
	}
	path := r.at(dir, name)
	if r.alias != "" {
		path = strings.Replace(path, r.alias, r.called, 1)
	}
	switch {
	case name == "":
		found.Add(fmt.Errorf("listing %.1000q: %w", path, folders.Cause(err)))
	case errors.Is(err, ErrMounted), openat.InUse(err) && dir.IsMounted(name):
		found.mount(path)
	case errors.Is(err, fs.ErrPermission) && openat.Frozen(dir, name):
		found.Add(&ImmutableError{Path: path})
	case errors.Is(err, fs.ErrPermission) && openat.Frozen(dir, ""):
		found.Add(&ImmutableError{Path: filepath.Dir(path)})
	default:
		found.Add(fmt.Errorf("removing %.1000q: %w", path, folders.Cause(err)))
	}
}
