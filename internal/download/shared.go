package download

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/stamp"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// Runners that root owns are made of the cache's own files, under second names. What makes that sound:
//
//   - Nobody but root can write to such a file, by any of its names: its owner and mode are the file's, not the name's.
//   - An entry has a stamp: the number and the time of the last change of each file, as they were when its content was last
//     known to be right. The kernel sets that time at every change, to the content, the owner, the mode, the times, and
//     nobody can set it back. So files that fit the stamp are those that were verified, and nothing of them is read.
//   - A second name is a change as well. So the stamp is made again after each that we give or take away: it is compared
//     before, under a lock that all hold who do so, and what is noted after it are the same files, changed between the first
//     name that was given and the last. What is not seen is what root does to them in that fraction of a second.
//   - Where the stamp does not fit, as after "rm -r" of a runner by hand, or a kill, every file is read and compared, and it
//     is made again. An owner that is not root is damage by itself: an account that was given the files may have written to them.
const (
	stampFile = "stamp"
	stampLock = "stamp.lock"
	ownStamp  = ".stamp" // in a root of copies, which are known by it
	maxStamp  = 4 << 20  // a real one has 100 kB
)

func (e Entry) tree() string { return filepath.Join(e.Dir, treeDir) }

// externals is where the runner has what jobs are run with: nearly all of its files. What registers it needs none of them.
const externals = "externals"

// extent says how much of a runner a root has.
type extent int

const (
	whole extent = iota
	// bare leaves the externals empty.
	bare
)

// share makes root a runner whose files are root's: those of the entry, where they can have second names there, else
// copies.
func (e Entry) share(ctx context.Context, root string, owner Owner, size extent) error {
	unlock, err := e.lockStamp(ctx)
	if errors.Is(err, syscall.EROFS) {
		return e.clone(ctx, root, owner, size) // nothing can get a second name there
	}
	if err != nil {
		return err
	}
	defer unlock()
	manifest, known, err := e.remembered()
	if err != nil {
		return err
	}
	manifest = size.of(manifest, known)
	var after stamp.Stamp
	if e.fresh && known == nil {
		after, err = unpack.ShareNew(ctx, e.tree(), manifest, root, owner)
		if errors.Is(err, errors.ErrUnsupported) {
			e.stampFirst(manifest) // so that it need not be read
		}
	} else {
		after, err = unpack.Share(ctx, e.tree(), manifest, known, root, owner)
	}
	if errors.Is(err, unpack.ErrStale) {
		if known, err = e.sound(ctx, manifest); err != nil {
			return err
		}
		after, err = unpack.Share(ctx, e.tree(), manifest, known, root, owner)
	}
	// Stale again: on an overlay a file from below it that has several names is another one as soon as it gets one more.
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unpack.ErrStale) {
		return e.copied(ctx, manifest, root, owner)
	}
	if err == nil {
		e.note(after)
	}
	return err
}

// remembered reads what the files are, and beside that what they were last known by.
func (e Entry) remembered() (manifest *unpack.Manifest, known stamp.Stamp, err error) {
	var reading sync.WaitGroup
	reading.Go(func() { known = e.stamp() })
	manifest, err = e.manifest()
	reading.Wait()
	return manifest, known, err
}

// of is the manifest of what a root has, while noted is what the files are known by.
func (x extent) of(m *unpack.Manifest, noted stamp.Stamp) *unpack.Manifest {
	if x == bare {
		return m.Hollow(externals, noted)
	}
	return m
}

// copied makes root a runner whose files are copies.
func (e Entry) copied(ctx context.Context, manifest *unpack.Manifest, root string, owner Owner) error {
	before, err := e.sound(ctx, manifest)
	if err != nil {
		return err
	}
	err = unpack.Clone(ctx, e.tree(), manifest, root, owner)
	e.stampAgain(manifest, before) // some may have got a second name, and lost it, before one could not
	if err != nil {
		return err
	}
	own, err := manifest.Mark(ctx, root)
	if err != nil {
		return err
	}
	// Without it each renewal makes it again.
	_ = atomicfile.Write(filepath.Join(root, ownStamp), own.Text(), atomicfile.Options{})
	return nil
}

// ownStampOf is what the copies in a root are known by; empty if it has none, or a file that is not ours in its place.
func ownStampOf(root *os.Root) stamp.Stamp {
	info, err := root.Lstat(ownStamp)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxStamp || !ours(info) {
		return nil
	}
	text, err := root.ReadFile(ownStamp)
	if err != nil {
		return nil
	}
	own, err := stamp.Parse(text)
	if err != nil {
		return nil
	}
	return own
}

// sound makes sure that the files are those that were verified, and returns what they are known by.
func (e Entry) sound(ctx context.Context, manifest *unpack.Manifest) (stamp.Stamp, error) {
	before, err := manifest.Mark(ctx, e.tree())
	if err != nil || e.stamp().Fits(before) {
		return before, err
	}
	if err := manifest.Check(ctx, e.tree()); err != nil {
		return nil, err
	}
	after, err := manifest.Mark(ctx, e.tree())
	if err == nil && !before.Fits(after) {
		err = fmt.Errorf("%w: they were changed while they were read", ErrDamaged)
	}
	return after, err
}

// stamp reads what the files were last known by; empty if that is not known.
func (e Entry) stamp() stamp.Stamp {
	text, err := os.ReadFile(filepath.Join(e.Dir, stampFile))
	if err != nil || len(text) > maxStamp {
		return nil
	}
	noted, err := stamp.Parse(text)
	if err != nil {
		return nil
	}
	return noted
}

// stampAgain notes what the files are known by, after they got or lost names, if they are the files of before.
func (e Entry) stampAgain(manifest *unpack.Manifest, before stamp.Stamp) {
	after, err := manifest.Mark(context.Background(), e.tree())
	if err != nil || len(after) != len(before) {
		return // it does not fit, and so the next one reads all
	}
	for i := range after {
		if after[i].Inode != before[i].Inode {
			return
		}
	}
	e.note(after)
}

// note writes down what the files are known by. Without it the next one reads all, which takes longer and does no harm.
func (e Entry) note(known stamp.Stamp) {
	_ = atomicfile.Write(filepath.Join(e.Dir, stampFile), known.Text(), atomicfile.Options{Mode: 0o644})
}

// stampFirst notes what the files of a new entry are known by.
func (e Entry) stampFirst(manifest *unpack.Manifest) {
	if os.Geteuid() != 0 {
		return // only root shares them
	}
	if made := manifest.Made(); made != nil {
		e.note(made)
	} else if known, err := manifest.Mark(context.Background(), e.tree()); err == nil {
		e.note(known)
	}
}

// lockStamp waits until nobody else gives or takes names of the entry's files. Where the cache cannot be written nobody does,
// and nobody could note it.
func (e Entry) lockStamp(ctx context.Context) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(e.Dir, stampLock), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("locking the cache entry: %w", err)
	}
	if err := lock(ctx, file); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the cache entry: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil // which ends the lock
}

// Discard is [Discard] for a root that the fetcher may have made: what is left in the cache of files that it shared is
// known to be right afterwards as it was before.
func (f *Fetcher) Discard(ctx context.Context, root string) error {
	entry, manifest, found := f.Cache.sharedWith(root)
	if !found {
		return Discard(root)
	}
	unlock, err := entry.lockStamp(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	noted := entry.stamp()
	manifest = extentOf(root).of(manifest, noted)
	before, err := manifest.Mark(ctx, entry.tree())
	known := err == nil && noted.Fits(before)
	err = Discard(root)
	if known {
		entry.stampAgain(manifest, before)
	}
	return err
}

// extentOf looks how much of a runner is in a root.
func extentOf(root string) extent {
	if names, err := os.ReadDir(filepath.Join(root, externals)); err == nil && len(names) == 0 {
		return bare
	}
	return whole
}

// Renew makes a root what it was when the fetcher made it of an asset for a sticky owner: all that others have added goes,
// but what is called as one of stay. Whole tells whether the runner's own files are those that were verified: only then has the
// root become what it was. It does that without reading them, and may be called while nobody uses the root; it is nil where
// another root is needed anyway. What is mounted in the root stays, as the [removal.MountedError] beside that says.
func (f *Fetcher) Renew(asset Asset, root string, stay ...string) (whole func(context.Context) (bool, error), err error) {
	entry, found := f.Cache.Find(asset)
	if !found {
		return nil, nil
	}
	manifest, err := entry.manifest()
	if err != nil {
		return nil, nil //nolint:nilerr // a cache that is damaged is mended by who makes another root
	}
	folder, _, err := folders.Open(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	tops := manifest.Tops()
	left := removal.Except(folder, func(name string) bool {
		return slices.Contains(tops, name) || slices.Contains(stay, name) || name == ownStamp
	})
	if left != nil && !removal.MountsAlone(left) {
		return nil, left
	}
	if info, err := folder.Stat("."); err != nil || info.Mode().Perm() != 0o770 || info.Mode()&fs.ModeSticky == 0 || !ours(info) {
		return nil, err
	}
	own := ownStampOf(folder)
	return func(ctx context.Context) (bool, error) {
		beside, err := os.ReadDir(root)
		if err != nil {
			return false, fmt.Errorf("looking at the runner's files: %w", err)
		}
		return entry.madeOf(ctx, manifest, root, namesOf(beside), own)
	}, left
}

func namesOf(entries []os.DirEntry) []string {
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

// madeOf tells whether a root has the entry's very files, and these are those that were verified, or the copies that it is
// known by.
func (e Entry) madeOf(ctx context.Context, manifest *unpack.Manifest, root string, beside []string, own stamp.Stamp) (bool, error) {
	unlock, err := e.lockStamp(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	theirs, err := manifest.Mark(ctx, root, beside...)
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if own.Fits(theirs) || e.stamp().Fits(theirs) {
		return true, nil // of what was noted nothing has changed, by any of its names
	}
	known, err := e.sound(ctx, manifest)
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	if err != nil || !known.Fits(theirs) {
		return false, err
	}
	e.note(known)
	return true, nil
}

// Compare compares the files of a runner that are root's with those of the entry that it was made of, without reading them;
// [ErrDamaged] if any differs or is not root's. What others have added beside them does not count. It changes nothing.
func (e Entry) Compare(ctx context.Context, root string) error {
	manifest, err := e.manifest()
	if err != nil {
		return err
	}
	tops := manifest.Tops()
	names, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("looking at the runner's files: %w", err)
	}
	var beside []string
	for _, entry := range names {
		if !slices.Contains(tops, entry.Name()) {
			beside = append(beside, entry.Name())
		}
	}
	_, err = manifest.Mark(ctx, root, beside...)
	return err
}

// sharedWith finds the entry whose files a root has.
func (c Cache) sharedWith(root string) (Entry, *unpack.Manifest, bool) {
	entries, err := c.Entries()
	if err != nil {
		return Entry{}, nil, false
	}
	for _, entry := range entries {
		for _, name := range []string{"config.sh", "bin/Runner.Listener"} {
			theirs, errTheirs := os.Lstat(filepath.Join(entry.tree(), name))
			ours, errOurs := os.Lstat(filepath.Join(root, name))
			if errTheirs != nil || errOurs != nil || !os.SameFile(theirs, ours) {
				continue
			}
			manifest, err := entry.manifest()
			return entry, manifest, err == nil
		}
	}
	return Entry{}, nil, false
}
