// Package download brings the runner onto this host: it chooses the archive
// for the platform, receives, verifies and unpacks it in one pass into a cache,
// and clones runner roots from there.
package download

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/transfer"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

const (
	// stall is how long a download may go without one byte, at first.
	stall = 30 * time.Second
	// skipDisk is how long a download may take for its bytes not to be kept for
	// another process: writing them costs more then than it will ever save.
	skipDisk = 3 * time.Second
	// Expansion is how many times an archive's size its tree may need: about
	// 3.1 for the real ones.
	Expansion = 4
	// maxArchive is many times what a real archive has.
	maxArchive = 4 << 30
	// zipWorkers is how many files of a zip are unpacked at a time, at most.
	zipWorkers = 4
)

// Progress is called while an archive is received, often and from one
// goroutine; total is 0 where the server does not tell. What an interrupted run
// had received already counts as done.
type Progress func(done, total int64)

// Owner is who the files of a runner root belong to.
type Owner = unpack.Owner

// Fetcher fills a cache with runners and makes runner roots of them.
type Fetcher struct {
	Client *http.Client
	Cache  Cache
	// Connections is how many a download may use at most where one is slow.
	Connections int
	// MostStall is how long silence is waited for at most; see [transfer.Request].
	MostStall time.Duration
	// Mirror, if set, is called for each request to a mirror, and never for one that it redirects to elsewhere.
	Mirror func(*http.Request) error
	// SyncLater has what is fetched written to the disk beside what comes next: [Fetcher.Sync] waits for it. Until then it counts
	// in this boot alone.
	SyncLater bool

	syncing []writing
}

// Fetch returns the cache's entry of an asset, received now or found (cached).
// Every byte of what is received passes through SHA-256; nothing of it has its
// name before the digest has matched, and nothing is executed. After a failure
// of the network, of this host or of the time allowed, the bytes received so far
// stay for the next call, in this process or another, which continues there
// (unless all of them would take no more than three seconds again);
// after a wrong content nothing stays. Others who fetch into the same cache meanwhile wait. A cache that is removed
// meanwhile, as it may be at any time, is filled once more.
func (f *Fetcher) Fetch(ctx context.Context, asset Asset, progress Progress) (entry Entry, cached bool, err error) {
	defer f.syncBeside()
	return f.fetchFor(ctx, asset, progress, false)
}

// fetchFor is Fetch for what is shared at once, or not: a new entry gets its stamp then, as that would be made twice.
func (f *Fetcher) fetchFor(ctx context.Context, asset Asset, progress Progress, share bool) (entry Entry, cached bool, err error) {
	entry, cached, err = f.fetch(ctx, asset, progress, share)
	if errors.Is(err, ErrVanished) && ctx.Err() == nil {
		entry, cached, err = f.fetch(ctx, asset, progress, share) // with a lock on the folder that is there now
	}
	return entry, cached, err
}

func (f *Fetcher) fetch(ctx context.Context, asset Asset, progress Progress, share bool) (entry Entry, cached bool, err error) {
	if entry, found := f.Cache.Find(asset); found {
		return entry.seen(asset.Offered), true, f.secure(entry)
	}
	if !asset.HasDigest() {
		return Entry{}, false, fmt.Errorf("choosing %s: %w", asset.Filename, ErrNoDigest)
	}
	unlock, err := f.Cache.lock(ctx)
	if err != nil {
		return Entry{}, false, err
	}
	defer unlock()
	if entry, found := f.Cache.Find(asset); found {
		return entry.seen(asset.Offered), true, f.secure(entry) // somebody else was faster
	}
	adopted, err := f.Cache.make(ctx, asset)
	if err == nil && !adopted {
		var again bool
		again, err = f.receive(ctx, asset, progress, share)
		if again {
			// What lay on the disk may have been damaged, by a power cut for one; or the file was replaced between two answers.
			_, err = f.receive(ctx, asset, progress, share)
		}
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("fetching %s: %w", asset.Filename, err)
	}
	entry, found := f.Cache.Find(asset)
	if !found {
		return Entry{}, false, fmt.Errorf("fetching %s: %w", asset.Filename, ErrDamaged)
	}
	entry.fresh = share && !adopted
	return entry, false, f.secure(entry)
}

// Ensure is [Fetcher.Fetch] for a runner that somebody will use later, on this
// host or on one that boots from its image: an entry that is there already is
// read and compared with its manifest, and replaced if it is damaged.
func (f *Fetcher) Ensure(ctx context.Context, asset Asset, progress Progress) (entry Entry, cached bool, err error) {
	return f.sound(ctx, asset, progress, false, func(entry Entry, cached bool) error {
		if !cached {
			return nil
		}
		return entry.Verify(ctx)
	})
}

// Place makes root a runner: a clone of the asset's entry in the cache, which is
// fetched first if it is not there. An entry that is damaged is replaced; without
// a source to fetch it from it is removed, and the error is [ErrDamaged]. Root
// must not exist; it is there whole afterwards or not at all.
func (f *Fetcher) Place(ctx context.Context, asset Asset, root string, owner Owner, progress Progress) (cached bool, err error) {
	return f.place(ctx, asset, root, owner, whole, progress)
}

func (f *Fetcher) place(
	ctx context.Context, asset Asset, root string, owner Owner, size extent, progress Progress,
) (cached bool, err error) {
	_, cached, err = f.sound(ctx, asset, progress, owner.Sticky && size == whole, func(entry Entry, _ bool) error {
		if err := acl.KeepPublic(filepath.Dir(root)); err != nil { // the runner's account passes through it
			return fmt.Errorf("making the runners' directory: %w", err)
		}
		if owner.Sticky {
			return entry.share(ctx, root, owner, size)
		}
		return entry.clone(ctx, root, owner, size)
	})
	f.syncBeside()
	return cached && err == nil, err
}

// PlaceBare is [Fetcher.Place] of what config.sh needs of a runner, with nothing in its externals: a few hundred of its ten
// thousand files. They stay this process's, which shares them with the cache where it is root.
func (f *Fetcher) PlaceBare(ctx context.Context, asset Asset, root string) error {
	owner := Owner{Keep: true}
	if os.Geteuid() == 0 {
		owner = Owner{Sticky: true}
	}
	_, err := f.place(ctx, asset, root, owner, bare, func(int64, int64) {})
	return err
}

// sound fetches an entry and uses it. One whose use finds it damaged is removed,
// fetched again where it can be had, and used once more.
func (f *Fetcher) sound(
	ctx context.Context, asset Asset, progress Progress, share bool, use func(entry Entry, cached bool) error,
) (entry Entry, cached bool, err error) {
	for mended := false; ; mended = true {
		entry, cached, err := f.fetchFor(ctx, asset, progress, share)
		if err != nil {
			return Entry{}, false, err
		}
		err = use(entry, cached)
		if err == nil {
			return entry, cached, nil
		}
		if mended || !errors.Is(err, ErrDamaged) {
			return Entry{}, false, err
		}
		if removeErr := f.Cache.Remove(entry); removeErr != nil {
			return Entry{}, false, errors.Join(err, removeErr)
		}
		if !asset.Fetchable() {
			return Entry{}, false, err
		}
	}
}

func (e Entry) clone(ctx context.Context, root string, owner Owner, size extent) error {
	manifest, err := e.manifest()
	if err != nil {
		return err
	}
	return unpack.Clone(ctx, e.tree(), size.of(manifest, nil), root, owner)
}

// Verify reads every file of the entry, and compares it with what was unpacked; [ErrDamaged] if any differs, or, where root
// asks, is not root's. It changes nothing.
func (e Entry) Verify(ctx context.Context) error {
	manifest, err := e.manifest()
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if _, err := manifest.Mark(ctx, e.tree()); err != nil {
			return err
		}
	}
	return manifest.Check(ctx, e.tree())
}

// Discard removes root, and what killed runs have left beside it.
func Discard(root string) error { return unpack.Remove(root) }

// receive makes the asset's entry. Again means that the archive is wrong, and may be so only because it was put together of
// several answers, or of one whose end nobody knows.
func (f *Fetcher) receive(ctx context.Context, asset Asset, progress Progress, share bool) (again bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := f.open(ctx, asset, progress)
	if err != nil {
		return false, f.Cache.vanished(f.Cache.Dir, err)
	}
	defer from.Close()
	if err := room(f.Cache.Dir, from.Size(), from.resumed()); err != nil {
		return false, err
	}
	staging, err := os.MkdirTemp(f.Cache.Dir, "."+f.Cache.name(asset)+stagingMark+"*")
	if err != nil {
		return false, f.Cache.vanished(f.Cache.Dir, fmt.Errorf("making the staging directory: %w", err))
	}
	if err = f.unpack(ctx, cancel, asset, from, staging, !share); err == nil {
		err = from.Close() // Windows removes no file that is open
	} else {
		err = f.Cache.vanished(filepath.Join(staging, treeDir), err)
	}
	if err == nil {
		err = f.Cache.commit(staging, asset, f.SyncLater)
	}
	if err != nil {
		err = errors.Join(err, removal.Path(staging))
	}
	if errors.Is(err, ErrArchive) {
		again = from.pieced()
		err = errors.Join(from.blame(err), from.Close(), transfer.Discard(f.Cache.part(asset)))
	}
	return again, err
}

// unpack reads the archive to its end, and makes staging an entry that wants
// only its name. With stamped it notes what the files are known by as well.
func (f *Fetcher) unpack(ctx context.Context, cancel func(), asset Asset, from source, staging string, stamped bool) error {
	dir := filepath.Join(staging, treeDir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("making the staging directory: %w", err)
	}
	archive := hashAhead(from)
	defer func() {
		cancel() // so that nobody waits for bytes that nobody wants
		archive.Close()
	}()
	var manifest *unpack.Manifest
	var err error
	if asset.Platform.OS == "win" {
		manifest, err = unpackZip(ctx, asset, archive, from.path(), dir)
	} else {
		manifest, err = unpack.Tar(ctx, archive, dir, names(asset.Platform), f.Cache.disk())
		if err == nil {
			err = asset.prove(archive)
		}
	}
	if failure := archive.failure(); failure != nil {
		return classify(failure)
	}
	if err != nil {
		return fmt.Errorf("unpacking it: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // public files
		return fmt.Errorf("opening the tree: %w", err)
	}
	if err := os.Chmod(staging, 0o755); err != nil { //nolint:gosec // public files
		return fmt.Errorf("opening the tree: %w", err)
	}
	return f.Cache.seal(staging, asset, manifest, stamped)
}

// unpackZip needs the whole archive first: a zip's directory is at its end.
func unpackZip(ctx context.Context, asset Asset, archive *hashing, path, dir string) (*unpack.Manifest, error) {
	if err := archive.drain(); err != nil {
		return nil, err
	}
	if err := asset.prove(archive); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return unpack.Zip(ctx, file, info.Size(), dir, names(asset.Platform), zipWorkers)
}

// prove compares the digest of an archive that was read to its end.
func (a Asset) prove(archive *hashing) error {
	if got := hex.EncodeToString(archive.Sum()); got != a.SHA256 {
		return &digestError{File: a.Filename, Want: a.SHA256, Got: got}
	}
	return nil
}

// names is how strictly the names in a platform's archives are looked at.
func names(platform Platform) naming.Rules {
	switch platform.OS {
	case "win":
		return naming.Windows
	case "osx":
		return naming.Fold
	default:
		return naming.Unix
	}
}

// classify gives a failure of the source its kind: too long is a matter of the
// archive, not of the network.
func classify(err error) error {
	if errors.Is(err, transfer.ErrLength) {
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
	if volume.IsFull(err) && !errors.Is(err, ErrSpace) {
		return fmt.Errorf("%w: %w", ErrSpace, err)
	}
	return err
}

// room refuses to begin what cannot end well.
func room(dir string, archive, present int64) error {
	free, err := freeBytes(dir)
	if err != nil || archive == 0 {
		return nil //nolint:nilerr // where it cannot be told, the write will tell
	}
	needed := archive*(1+Expansion) - present
	if free < needed {
		return fmt.Errorf("%w in %q: %d MB free, about %d MB needed", ErrSpace, dir, free>>20, needed>>20)
	}
	return nil
}

// absent gives a file that is not there its kind.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return err
}
