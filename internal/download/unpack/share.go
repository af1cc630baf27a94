package unpack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/stamp"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// Mark compares the tree in dir with the manifest without reading the files: the set of names, types, sizes, modes, times,
// link targets, and that all of it belongs to the account this process runs as. It changes nothing, and returns what the
// files are known by. The first difference is [ErrDamaged]. Only on Linux files are known by anything.
//
// One who finds the same marks later knows that no file was written to meanwhile, nor replaced, nor had its mode, its owner
// or its times set: each of these sets the time of the last change, and nobody can set that back. So does giving a file
// another name or taking one away, which is why a stamp has to be made again after that. Names beside the runner's own may
// be in the root directory.
func (m *Manifest) Mark(ctx context.Context, dir string, beside ...string) (stamp.Stamp, error) {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("looking at the unpacked files: %w", missing(".", err))
	}
	defer top.Close()
	w := newWalk(m, top)
	w.marks, w.beside = m.marks(), beside
	if err := w.run(ctx); err != nil {
		return nil, fmt.Errorf("looking at the unpacked files: %w", err)
	}
	return w.marks, nil
}

// mark looks at a file without opening it.
func (p *pair) mark(e *entry, from *openat.Dir) (stamp.Mark, error) {
	found, err := from.Status(last(e.path))
	if err != nil {
		return stamp.Mark{}, missing(e.path, err)
	}
	if err := errors.Join(meta(e, found), p.ours(e, found)); err != nil {
		return stamp.Mark{}, err
	}
	return stamp.At(found.Inode, found.Changed), nil
}

// ours tells whether what is to be shared belongs to nobody else, who could change it for all.
func (p *pair) ours(e *entry, found openat.Status) error {
	if p.marks != nil && found.Inode != 0 && found.UID != p.us {
		return fmt.Errorf("%w: %q belongs to user %d", ErrDamaged, e.path, found.UID)
	}
	return nil
}

// ErrStale means that a stamp is not of the files that are there.
var ErrStale = errors.New("the files are not those of the stamp")

// Share is [Clone] for a tree whose files are those of from themselves, under second names, and for an owner that is
// [Owner.Sticky]. Each file must be what the stamp says ([ErrStale]), and as the manifest has it ([ErrDamaged]) in all that
// [Manifest.Mark] looks at; none is read. It returns what the files are known by afterwards: a second name is a change, and
// was made while this ran, so nobody else may change them meanwhile. Where files can have none in that place, it is
// [errors.ErrUnsupported]. After a failure the stamp may be stale.
func Share(ctx context.Context, from string, m *Manifest, noted stamp.Stamp, to string, owner Owner) (stamp.Stamp, error) {
	if len(noted) != len(m.entries) {
		return nil, fmt.Errorf("sharing the runner's files: %w", ErrStale)
	}
	return shareInto(ctx, from, m, noted, to, owner)
}

// ShareNew is [Share] for a tree that was unpacked this moment, by this process: it has no stamp yet, and what is there is what
// was verified.
func ShareNew(ctx context.Context, from string, m *Manifest, to string, owner Owner) (stamp.Stamp, error) {
	return shareInto(ctx, from, m, nil, to, owner)
}

func shareInto(ctx context.Context, from string, m *Manifest, noted stamp.Stamp, to string, owner Owner) (stamp.Stamp, error) {
	var after stamp.Stamp
	err := stage(to, owner, func(staging string) (err error) {
		after, err = share(ctx, from, m, noted, staging, owner)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sharing the runner's files: %w", hostError(err))
	}
	return after, nil
}

func share(ctx context.Context, from string, m *Manifest, noted stamp.Stamp, staging string, owner Owner) (stamp.Stamp, error) {
	source, err := os.OpenRoot(from)
	if err != nil {
		return nil, missing(".", err)
	}
	defer source.Close()
	target, err := os.OpenRoot(staging)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	w := newWalk(m, source)
	w.to, w.owner, w.shared, w.noted, w.marks = target, owner, true, noted, m.marks()
	if w.exact, err = keepsModes(target); err != nil {
		return nil, err
	}
	if w.begun, err = begin(source, target); err != nil {
		return nil, err
	}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	if err := stick(target, owner); err != nil {
		return nil, err
	}
	if err := w.linkedTill(target); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(m.entries, func(e entry) bool { return e.kind == aHardLink }) {
		return m.Mark(ctx, from) // these came after the marks of what they lead to
	}
	return w.marks, nil
}

// begin returns the moment at which the target was last changed, which is before any file gets its name there. It is zero where
// a file may become another one by that.
func begin(source, target *os.Root) (int64, error) {
	from, err := openat.Open(source)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	if !openat.LinksStay(from) {
		return 0, nil
	}
	return changed(target)
}

func changed(root *os.Root) (int64, error) {
	dir, err := openat.Open(root)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	return openat.Changed(dir)
}

// linkedTill notes the moment at which the target was last changed, which is after all files have got their names there.
func (w *walk) linkedTill(target *os.Root) error {
	ended, err := changed(target)
	for i := range w.marks {
		if mark := &w.marks[i]; mark.Inode != 0 && mark.Till == 0 {
			mark.Till = ended
		}
	}
	return err
}

// second gives a file a second name, and returns what it is known by then. It must be known by what was noted, if anything was.
// Till when it was changed by that is not known yet: to look at each file again takes longer than to give it a name.
func (p *pair) second(kid int32, from, to *openat.Dir) (stamp.Mark, error) {
	e := &p.manifest.entries[kid]
	before, err := p.mark(e, from)
	if err != nil {
		return before, err
	}
	if before.Inode == 0 || p.noted != nil && !p.noted[kid].Fits(before) {
		return before, fmt.Errorf("looking at %q: %w", e.path, ErrStale)
	}
	if err := from.Link(last(e.path), to, last(e.path)); err != nil {
		return before, fmt.Errorf("linking %q: %w", e.path, err)
	}
	if p.begun != 0 {
		return stamp.Mark{Inode: before.Inode, Since: p.begun}, nil
	}
	// By the new name: it is of the very file that got it.
	after, err := p.mark(e, to)
	if err == nil && after.Inode != before.Inode {
		err = fmt.Errorf("linking %q: %w", e.path, ErrStale)
	}
	return after, err
}

// stick lets a group add to a root directory.
func stick(root *os.Root, owner Owner) error {
	if owner.SID != "" {
		return nil // it was made so
	}
	return errors.Join(root.Lchown(".", -1, owner.GID), root.Chmod(".", fs.ModeSticky|0o770)) // in this order
}
