package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// place is a folder with things that are kept or removed as a whole.
type place struct {
	folder *os.Root
	inner  string // if not empty, the folder of that name in folder is meant
	label  string // for the log
}

// at returns the folder called name in the folder of p.
func (p place) at(name string) place {
	return place{folder: p.folder, inner: name, label: path.Join(p.label, name)}
}

// open opens the folder. Thousands of places may be kept, thousands of open
// folders may not.
func (p place) open() (folder *os.Root, done func() error, err error) {
	if p.inner == "" {
		return p.folder, func() error { return nil }, nil
	}
	if folder, err = folders.Own(p.folder, p.inner); err != nil {
		return nil, nil, err
	}
	return folder, folder.Close, nil
}

// unit is something that is kept or removed as a whole.
type unit struct {
	place  place
	name   string
	info   fs.FileInfo
	newest time.Time // change of it and of what is below
	future bool      // newest is later than now, and says nothing: it counts as the oldest
	bytes  int64     // on the disk, of all that was measured
}

// older orders units from old to new.
func older(a, b *unit) int {
	if a.future != b.future {
		if a.future {
			return -1
		}
		return 1
	}
	return cmp.Or(a.newest.Compare(b.newest), cmp.Compare(a.name, b.name))
}

func sum(units []*unit) (total int64) {
	for _, u := range units {
		total += u.bytes
	}
	return total
}

func anyName(string) bool { return true }

// portion is how many units are held at a time. A job can leave millions.
const portion = 1024

// inPortions gives do what is in a place under names that are wanted, some at a time. Do may
// remove them. If there is no such place, there is nothing.
func (t *tidier) inPortions(p place, wanted func(name string) bool, do func([]*unit)) {
	folder, done, err := p.open()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.found.Add(err)
		}
		return
	}
	defer func() { t.found.Add(done()) }()
	var units []*unit
	t.found.Add(t.each(folder, func(name string, info fs.FileInfo) {
		if !wanted(name) {
			return
		}
		if info == nil {
			t.found.Add(&removal.MountedError{Points: []string{filepath.Join(folder.Name(), name)}})
			return
		}
		units = append(units, &unit{place: p, name: name, info: info, newest: info.ModTime(), bytes: onDisk(info) / links(info)})
		if len(units) == portion {
			do(units)
			units = nil
		}
	}))
	do(units)
}

// each calls do for everything in a folder, until the context ends. What is mounted there has no information.
func (t *tidier) each(folder *os.Root, do func(name string, info fs.FileInfo)) error {
	return t.eachUntil(folder, func(name string, info fs.FileInfo) bool {
		do(name, info)
		return true
	})
}

// eachUntil is each until do wants no more.
func (t *tidier) eachUntil(folder *os.Root, do func(name string, info fs.FileInfo) (more bool)) error {
	at := filepath.Clean(folder.Name())
	err := folders.Names(folder, func(name string) bool {
		if t.ctx.Err() != nil {
			return false
		}
		if len(t.mounted) > 0 && slices.Contains(t.mounted, filepath.Join(at, name)) {
			return do(name, nil)
		}
		info, err := folder.Lstat(name)
		return err != nil || do(name, info) // else it is gone
	})
	if err != nil {
		return fmt.Errorf("listing %q: %w", folder.Name(), err)
	}
	return nil
}

const (
	// deepest is how many levels below a unit are looked at: each has two files open.
	deepest = 100
	// mostLooked is how many files of a unit are looked at for its age: some seconds' worth.
	mostLooked = 1 << 20
)

// measure looks at what is below units, for their bytes and their age.
func (t *tidier) measure(units []*unit) {
	t.walk(units, deepest, func(u *unit, info fs.FileInfo) (more bool) {
		u.sees(info)
		if info.IsDir() {
			u.bytes += onDisk(info)
		} else {
			u.bytes += onDisk(info) / links(info)
		}
		return true
	})
}

// rejuvenate looks at what is below units that are older than a limit, until it finds something that is not: first at two levels, where
// a repository in use mostly has it.
func (t *tidier) rejuvenate(units []*unit, limit time.Duration) {
	for _, levels := range []int{2, deepest} {
		aged := slices.DeleteFunc(slices.Clone(units), func(u *unit) bool { return !t.old(u.newest, limit) })
		looked := map[*unit]int{}
		t.walk(aged, levels, func(u *unit, info fs.FileInfo) (more bool) {
			u.sees(info)
			looked[u]++
			return t.old(u.newest, limit) && looked[u] < mostLooked
		})
	}
}

func (u *unit) sees(info fs.FileInfo) {
	if info.ModTime().After(u.newest) {
		u.newest = info.ModTime()
	}
}

// walk gives each what is so many levels below units that are folders, until that wants no more of one.
func (t *tidier) walk(units []*unit, levels int, each func(u *unit, info fs.FileInfo) (more bool)) {
	for _, u := range units {
		if !u.info.IsDir() || t.ctx.Err() != nil {
			continue
		}
		folder, done, err := u.place.open()
		if err != nil {
			continue // it will not be removed either
		}
		if around, err := folder.Stat("."); err == nil && device(around) == device(u.info) {
			t.below(u, folder, u.name, levels, func(info fs.FileInfo) bool { return each(u, info) })
		}
		t.found.Add(done())
	}
}

// below gives each what is in a folder of a unit, so many levels deep, until that wants no more. What
// cannot be read, or is mounted there, counts for nothing.
func (t *tidier) below(u *unit, parent *os.Root, name string, levels int, each func(fs.FileInfo) (more bool)) (more bool) {
	folder, err := folders.Enter(parent, name)
	if err != nil {
		return true
	}
	defer folder.Close()
	more = true
	// The error is that of a folder that changes while it is read.
	_ = t.eachUntil(folder, func(name string, info fs.FileInfo) bool {
		if info == nil || device(info) != device(u.info) {
			return true
		}
		if more = each(info); more && info.IsDir() && levels > 1 {
			more = t.below(u, folder, name, levels-1, each)
		}
		return more
	})
	return more
}

// removeOld removes the units that are older than a limit, and what an earlier
// removal left. It returns the others, and what remains of a total.
func (t *tidier) removeOld(units []*unit, total int64, limit time.Duration) ([]*unit, int64) {
	kept := slices.DeleteFunc(units, func(u *unit) bool {
		if !removal.IsDoomed(u.name) && !t.old(u.newest, limit) || !t.remove(u) {
			return false
		}
		total -= u.bytes
		return true
	})
	return kept, total
}

// removeOver removes units, oldest first, until the total is within a limit. What is
// beyond it alone goes before all others: these could go in vain. It returns what remains of the total.
func (t *tidier) removeOver(units []*unit, total, limit int64) int64 {
	if limit <= 0 {
		return total
	}
	alone := slices.DeleteFunc(slices.Clone(units), func(u *unit) bool { return u.bytes <= limit })
	rest := slices.DeleteFunc(units, func(u *unit) bool { return u.bytes > limit })
	slices.SortFunc(rest, older)
	units = append(alone, rest...)
	for _, u := range units {
		if total <= limit {
			break
		}
		if t.remove(u) {
			total -= u.bytes
		}
	}
	return total
}

// remove removes a unit, and tells whether it is gone. A folder disappears under
// its name first, unless something in it stays in the end.
func (t *tidier) remove(u *unit) (gone bool) {
	if t.ctx.Err() != nil {
		return false
	}
	folder, done, err := u.place.open()
	if err != nil {
		t.found.Add(err)
		return false
	}
	defer func() { t.found.Add(done()) }()
	name, called := u.name, ""
	if u.info.IsDir() && !removal.IsDoomed(name) {
		name, called = removal.Doomed(), u.name
		if err := t.rename(folder, u.name, name); err != nil {
			t.found.Add(renaming(folder, u.name, err))
			return false
		}
	}
	gone, err = removal.Counted(t.ctx, folder, name, called, &t.freed.Freed)
	t.found.Add(err)
	if t.ctx.Err() != nil && !gone {
		return false // under its new name, for the next time
	}
	if !gone {
		// What stays has been told by its name, and it is somebody's who may use it.
		if name != u.name {
			_ = t.rename(folder, name, u.name) // it may have been made again
		}
		return false
	}
	if len(t.freed.Names) < maxNames {
		t.freed.Names = append(t.freed.Names, path.Join(u.place.label, u.name))
	}
	return true
}

// rename gives a folder another name, and waits for a program that has something in it open.
func (t *tidier) rename(folder *os.Root, from, to string) error {
	paths := func() []string { return []string{filepath.Join(folder.Name(), from)} }
	return t.patience.Try(paths, func() error { return folder.Rename(from, to) })
}

// renaming says why a folder cannot get another name, which is so where something is mounted on it.
func renaming(folder *os.Root, name string, err error) error {
	path := filepath.Join(folder.Name(), name)
	if busy(err) {
		return &removal.MountedError{Points: []string{path}}
	}
	return fmt.Errorf("removing %q: %w", path, folders.Cause(err))
}
