package unpack

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// Clone makes to a copy of the tree from. To must not exist, its directory must.
// The copy is made beside it, 0700 as ".NAME.new-*", and renamed when it is
// whole, so to is there whole or not at all. After a failure nothing is left,
// and Clone may be repeated; it also removes what a killed one has left, so the
// caller sees to it that there is one at a time.
//
// The copy has inodes of its own: nothing that is done to it reaches from. Its
// root gets mode 0750, everything in it the mode of the manifest, and all of it
// the owner; times are those of the copying, unless the owner is sticky.
//
// From is held against the manifest on the way: the set of names, types, sizes,
// modes, times and link targets, and whatever differs is [ErrDamaged] with its
// name. Where bytes are copied their checksums are compared too. Where the file
// system shares the blocks instead (reflinks) no byte is read, as that is what
// makes it fast on a machine that has just been started; there [Manifest.Check]
// reads them all. A disk that is too small gives [ErrSpace].
func Clone(ctx context.Context, from string, m *Manifest, to string, owner Owner) error {
	err := stage(to, owner, func(staging string) error { return copyTree(ctx, from, m, staging, owner) })
	if err != nil {
		return fmt.Errorf("copying the runner's files: %w", hostError(err))
	}
	return nil
}

// stage has to made under another name beside it.
func stage(to string, owner Owner, fill func(staging string) error) error {
	if _, err := os.Lstat(to); err == nil {
		return &fs.PathError{Op: "clone", Path: to, Err: fs.ErrExist} // a rename would replace an empty directory
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := removeLeftovers(to); err != nil {
		return fmt.Errorf("removing what an interrupted run left: %w", err)
	}
	staging, err := makeStaging(filepath.Dir(to), stagingPrefix(to), owner)
	if err != nil {
		return err
	}
	if err = fill(staging); err == nil {
		err = inuse.Rename(staging, to)
	}
	if err != nil {
		return errors.Join(err, removal.Path(staging))
	}
	return nil
}

func copyTree(ctx context.Context, from string, m *Manifest, staging string, owner Owner) error {
	source, err := os.OpenRoot(from)
	if err != nil {
		return missing(".", err)
	}
	defer source.Close()
	target, err := os.OpenRoot(staging)
	if err != nil {
		return err
	}
	defer target.Close()
	w := newWalk(m, source)
	w.to, w.owner = target, owner
	w.reflink.Store(true)
	if w.exact, err = keepsModes(target); err != nil {
		return err
	}
	if err := w.run(ctx); err != nil {
		return err
	}
	if owner.Sticky {
		return stick(target, owner)
	}
	// The runner's files carry their own modes, and its credentials will lie
	// here, so others get nothing.
	if err := target.Chmod(".", 0o750); err != nil {
		return err
	}
	if !owner.chowns() {
		return nil
	}
	return target.Lchown(".", owner.UID, owner.GID)
}

// Check compares the tree in dir with the manifest: the set of names, types,
// sizes, modes, times, link targets, and the content of every file. It changes
// nothing. The first difference it meets is returned as [ErrDamaged].
func (m *Manifest) Check(ctx context.Context, dir string) error {
	err := m.check(ctx, dir)
	if err != nil {
		return fmt.Errorf("checking the unpacked files: %w", err)
	}
	return nil
}

func (m *Manifest) check(ctx context.Context, dir string) error {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return missing(".", err)
	}
	defer top.Close()
	return newWalk(m, top).run(ctx)
}

// file compares one file, and copies it.
func (p *pair) file(ctx context.Context, e *entry, from, to *openat.Dir) error {
	base := last(e.path)
	source, err := from.OpenFile(base)
	if err != nil {
		return missing(e.path, err)
	}
	defer func() { _ = source.Close() }() // nothing was written
	found, err := source.Status()
	if err != nil {
		return missing(e.path, err)
	}
	if err := meta(e, found); err != nil {
		return err
	}
	if to == nil {
		return p.content(ctx, e, source, io.Discard)
	}
	target, err := to.Create(base, e.perm())
	if err != nil {
		return fmt.Errorf("making %q: %w", e.path, err)
	}
	err = p.fill(ctx, e, source, target)
	if err == nil && !p.exact {
		err = p.moded(e, target.Chmod(e.perm()))
	}
	if err == nil && p.owner.chowns() {
		err = p.given(e, target.Chown(p.owner.UID, p.owner.GID))
	}
	if errClose := target.Close(); errClose != nil {
		err = errors.Join(err, fmt.Errorf("writing %q: %w", e.path, errClose))
	}
	if err == nil && p.owner.Sticky {
		err = to.Touch(base, time.Unix(e.mtime, 0)) // so that it can be marked
	}
	return err
}

// moded says what an error was about.
func (p *pair) moded(e *entry, err error) error {
	if err != nil {
		return fmt.Errorf("setting the mode of %q: %w", e.path, err)
	}
	return nil
}

// given says what an error was about.
func (p *pair) given(e *entry, err error) error {
	if err != nil {
		return fmt.Errorf("giving %q to user %d and group %d: %w", e.path, p.owner.UID, p.owner.GID, err)
	}
	return nil
}

// fill gives target the content of source, without copying if that can be done.
// The first file decides for all.
func (p *pair) fill(ctx context.Context, e *entry, source, target *openat.File) error {
	if e.size > 0 && p.reflink.Load() {
		err := target.Clone(source)
		if err == nil {
			return ctx.Err()
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("cloning %q: %w", e.path, err)
		}
		p.reflink.Store(false)
	}
	return p.content(ctx, e, source, target)
}

// content copies a file and compares its checksum. It reads and writes: the
// bytes have to be seen in any case, and a copy within the kernel on top of that
// takes longer.
func (p *pair) content(ctx context.Context, e *entry, source io.Reader, target io.Writer) error {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	var crc uint32
	for left := e.size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := source.Read(p.buffer[:min(left, int64(len(p.buffer)))])
		left -= int64(n)
		crc = crc32.Update(crc, castagnoli, p.buffer[:n])
		if n > 0 {
			if _, err := target.Write(p.buffer[:n]); err != nil {
				return fmt.Errorf("writing %q: %w", e.path, err)
			}
		}
		if errors.Is(err, io.EOF) && left > 0 {
			return fmt.Errorf("%w: %q is shorter than it was", ErrDamaged, e.path)
		} else if err != nil && left > 0 {
			return fmt.Errorf("reading %q: %w", e.path, err)
		}
	}
	if crc != e.crc {
		return fmt.Errorf("%w: %q has another content", ErrDamaged, e.path)
	}
	return nil
}
