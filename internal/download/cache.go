package download

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/transfer"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// The files of a cache entry, and what is beside the entries.
const (
	treeDir      = "tree"
	manifestFile = "manifest"
	entryFile    = "entry.json" // written last: with it an entry is whole
	unsyncedFile = "unsynced"   // holds the boot in which an entry was named that may not be on the disk
	partMark     = ".part"      // a download that is not complete
	stagingMark  = ".new-"      // an entry that is not complete
)

// Cache is a directory of verified and unpacked runners, one entry for each
// version, platform and digest. An entry is there whole or not at all, and
// survives a power cut. The cache may be deleted at any time; nothing that runs
// uses its files.
type Cache struct {
	Dir string
	// Volatile entries are not waited for until they are on the disk: a power cut
	// may damage them. It is for hosts that do not survive one anyway.
	Volatile bool
}

// Entry is one runner in a cache.
type Entry struct {
	Platform string    `json:"platform"`
	Version  string    `json:"version"`
	Filename string    `json:"filename"`
	SHA256   string    `json:"sha256"` // of the archive
	Bytes    int64     `json:"bytes"`  // of the files
	Files    int       `json:"files"`
	Created  time.Time `json:"created"`
	// Offered is when GitHub was last seen to offer it, by this host's clock.
	Offered time.Time `json:"offered,omitzero"`
	Dir     string    `json:"dir"`

	fresh bool // unpacked this moment, by this process, and not stamped yet
}

// disk says when what is unpacked for the cache has to be on the disk.
func (c Cache) disk() unpack.Disk {
	if c.Volatile {
		return unpack.Later
	}
	return unpack.Soon
}

// name is what an asset's entry is called.
func (c Cache) name(asset Asset) string {
	return fmt.Sprintf("%s-%s-%s", asset.Platform, asset.Version, asset.SHA256[:16])
}

func (c Cache) path(asset Asset) string { return filepath.Join(c.Dir, c.name(asset)) }

// Asset describes the entry as what it was fetched as.
func (e Entry) Asset(platform Platform) Asset {
	return Asset{Platform: platform, Version: e.Version, Filename: e.Filename, SHA256: e.SHA256}
}

// Tree is the folder of the entry's files.
func (e Entry) Tree() string { return e.tree() }

// Entries lists the cache, newest versions first. One that does not exist is
// empty; what is no entry is passed over.
func (c Cache) Entries() ([]Entry, error) {
	files, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cache: %w", err)
	}
	var entries []Entry
	for _, file := range files {
		if !file.IsDir() || strings.HasPrefix(file.Name(), ".") {
			continue
		}
		if entry, err := readEntry(filepath.Join(c.Dir, file.Name())); err == nil {
			entries = append(entries, entry)
		}
	}
	sort.SliceStable(entries, func(i, j int) bool { return CompareVersions(entries[i].Version, entries[j].Version) > 0 })
	return entries, nil
}

// Find looks for an asset's entry. Whether its files are still what was verified
// is seen when they are used.
func (c Cache) Find(asset Asset) (Entry, bool) {
	if !asset.HasDigest() {
		return Entry{}, false
	}
	entry, err := readEntry(c.path(asset))
	return entry, err == nil && entry.SHA256 == asset.SHA256 && entry.Version == asset.Version
}

func readEntry(dir string) (Entry, error) {
	text, err := os.ReadFile(filepath.Join(dir, entryFile))
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{}
	if err := json.Unmarshal(text, &entry); err != nil {
		return Entry{}, err
	}
	if !ValidDigest(entry.SHA256) || !ValidVersion(entry.Version) {
		return Entry{}, fmt.Errorf("reading cache entry %q: %w", dir, ErrDamaged)
	}
	if !lasts(dir) {
		return Entry{}, fmt.Errorf("reading cache entry %q: this host was cut off while it was written: %w", dir, ErrDamaged)
	}
	entry.Dir = dir
	return entry, nil
}

// Remove takes one entry away.
func (c Cache) Remove(entry Entry) error {
	// Under another name first: half an entry is never taken for a whole one.
	doomed := filepath.Join(c.Dir, "."+filepath.Base(entry.Dir)+stagingMark+"gone")
	err := inuse.Rename(entry.Dir, doomed)
	if errors.Is(err, syscall.EXDEV) {
		// A folder that an overlay has from below it, as in a container of an image, can have no other name. What it lacks
		// from here on makes it none.
		doomed, err = entry.Dir, inuse.Remove(filepath.Join(entry.Dir, entryFile))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else was faster
	}
	if err != nil {
		return fmt.Errorf("removing cache entry %q: %w", entry.Dir, err)
	}
	if err := removal.Path(doomed); err != nil {
		return fmt.Errorf("removing cache entry %q: %w", entry.Dir, err)
	}
	return nil
}

// Prune keeps the newest entries of each platform, keep of them, and removes the
// others and everything that interrupted runs have left. The caller holds the
// host's lock. It returns what was removed, or with dry what would be.
func (c Cache) Prune(keep int, dry bool) ([]Entry, error) {
	entries, err := c.Entries()
	if err != nil {
		return nil, err
	}
	var gone []Entry
	seen := map[string]int{}
	for _, entry := range entries {
		if seen[entry.Platform]++; seen[entry.Platform] <= keep {
			continue
		}
		if !dry {
			if err := c.Remove(entry); err != nil {
				return gone, err
			}
		}
		gone = append(gone, entry)
	}
	if dry {
		return gone, nil
	}
	return gone, c.removeLeftovers(func(string) bool { return false })
}

// removeLeftovers removes what interrupted runs have left in the cache, but for what keep
// wants. The caller holds the host's lock, so nothing of it is in use.
func (c Cache) removeLeftovers(keep func(name string) bool) error {
	files, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the cache: %w", err)
	}
	for _, file := range files {
		name := file.Name()
		unnamed := strings.HasPrefix(name, ".") && (strings.Contains(name, partMark) || strings.Contains(name, stagingMark)) && !keep(name)
		cutOff := !strings.HasPrefix(name, ".") && file.IsDir() && !lasts(filepath.Join(c.Dir, name))
		if !unnamed && !cutOff {
			continue
		}
		if err := removal.Path(filepath.Join(c.Dir, name)); err != nil {
			return fmt.Errorf("removing what an interrupted run left: %w", err)
		}
	}
	return nil
}

// part is where an asset's archive is received.
func (c Cache) part(asset Asset) string { return filepath.Join(c.Dir, "."+c.name(asset)+partMark) }

// lock waits until nobody else fills the cache.
func (c Cache) lock(ctx context.Context) (unlock func(), err error) {
	if err := acl.KeepPublic(c.Dir); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	file, err := os.Open(c.Dir) // itself, so that nothing of it stays
	if err != nil {
		return nil, fmt.Errorf("locking the cache: %w", err)
	}
	if err := lock(ctx, file); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the cache: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil // which ends the lock
}

// make prepares the cache for a new entry of asset. An entry that a killed run
// had verified already is taken over; its part file, if any, stays; the rest of
// what interrupted runs have left is removed.
func (c Cache) make(ctx context.Context, asset Asset) (adopted bool, err error) {
	if err := acl.KeepPublic(c.Dir); err != nil {
		return false, fmt.Errorf("making the cache: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(globEscape(c.Dir), "."+c.name(asset)+stagingMark+"*"))
	if err != nil {
		return false, fmt.Errorf("reading the cache: %w", err)
	}
	for _, staging := range left {
		if c.verified(ctx, staging, asset) && c.commit(staging, asset, false) == nil {
			adopted = true
			break
		}
	}
	if !adopted {
		// What has the entry's name and is none would be in its way.
		if err := removal.Path(c.path(asset)); err != nil {
			return false, fmt.Errorf("removing a damaged cache entry: %w", err)
		}
	}
	part := filepath.Base(c.part(asset))
	return adopted, c.removeLeftovers(func(name string) bool { return !adopted && strings.HasPrefix(name, part) })
}

// globEscape keeps a directory's name from being read as a pattern.
func globEscape(dir string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(dir)
}

// verified tells whether staging is a whole entry whose files are right.
func (c Cache) verified(ctx context.Context, staging string, asset Asset) bool {
	entry, err := readEntry(staging)
	if err != nil || entry.SHA256 != asset.SHA256 || entry.Version != asset.Version {
		return false
	}
	if entry.Verify(ctx) != nil {
		return false
	}
	if manifest, err := entry.manifest(); err == nil && entry.stamp() == nil {
		entry.stampFirst(manifest) // it was to be shared when that run was killed
	}
	return true
}

// vanished gives a failure the cause that somebody has taken away what was worked in, or the cache as a whole.
func (c Cache) vanished(folder string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	for _, path := range []string{c.Dir, folder} {
		if _, lost := os.Lstat(path); errors.Is(lost, fs.ErrNotExist) {
			return fmt.Errorf("%w: %q is not there any more", ErrVanished, path) // what failed then is of no interest
		}
	}
	return err
}

// seal writes down what a verified tree is, in its staging directory, and with stamped what its files are known by.
func (c Cache) seal(staging string, asset Asset, manifest *unpack.Manifest, stamped bool) error {
	file, err := os.OpenFile(filepath.Join(staging, manifestFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // public
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	out := bufio.NewWriterSize(file, 64<<10)
	_, err = manifest.WriteTo(out)
	if err := errors.Join(err, out.Flush(), file.Close()); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	if stamped { // what was written this moment is what was verified
		Entry{Dir: staging}.stampFirst(manifest)
	}
	return writeEntry(staging, Entry{
		Platform: asset.Platform.String(), Version: asset.Version, Filename: asset.Filename, SHA256: asset.SHA256,
		Bytes: manifest.Bytes(), Files: manifest.Files(), Created: time.Now().UTC().Truncate(time.Second), Offered: asset.Offered,
	})
}

func writeEntry(dir string, entry Entry) error {
	entry.Dir = ""
	text, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("writing the cache entry: %w", err)
	}
	// Replaced as a whole, as an entry is never without its description.
	err = atomicfile.Write(filepath.Join(dir, entryFile), text, atomicfile.Options{Mode: 0o644})
	if err != nil {
		return fmt.Errorf("writing the cache entry: %w", err)
	}
	return nil
}

// seen notes that GitHub offers what is in the cache, so that a command that wants it soon
// need not ask. A note from a time to come is of a clock that was wrong. A cache that cannot be written is no worse than one that was not.
func (e Entry) seen(at time.Time) Entry {
	if at.After(e.Offered) || !at.IsZero() && e.Offered.After(time.Now()) {
		e.Offered = at
		_ = writeEntry(e.Dir, e)
	}
	return e
}

// commit makes a sealed staging directory an entry: durable first, then named.
// The part file goes before, or its bytes would be written out as well; from
// here on a killed run has the staging directory to continue from. With later it
// is named at once, and counts in this boot alone until it is durable.
func (c Cache) commit(staging string, asset Asset, later bool) error {
	if err := transfer.Discard(c.part(asset)); err != nil {
		return fmt.Errorf("removing the part file: %w", err)
	}
	later = later && !c.Volatile && markUnsynced(staging) == nil
	if !c.Volatile && !later {
		if err := unpack.Sync(staging); err != nil {
			return c.vanished(staging, fmt.Errorf("writing the runner to the disk: %w", err))
		}
	}
	if err := inuse.Rename(staging, c.path(asset)); err != nil {
		return c.vanished(staging, fmt.Errorf("putting the runner into the cache: %w", err))
	}
	if c.Volatile || later {
		return nil
	}
	return atomicfile.SyncFolder(c.Dir)
}
