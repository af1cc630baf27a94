// Package unpack makes a runner's files from an archive, remembers what they are,
// and copies them.
//
// An archive is foreign: everything in it is checked before it touches the disk,
// and what is written stays below the directory that the caller names. Symbolic
// links are made, never followed. What was written is listed in a [Manifest],
// against which every later copy is held.
package unpack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

var (
	// ErrArchive is matched by every sign that an archive is not what was
	// promised. Nothing of such an archive is kept.
	ErrArchive = errors.New("the archive is not what was promised")
	// ErrLayout means that an archive is not a runner.
	ErrLayout = fmt.Errorf("%w: not a GitHub Actions runner", ErrArchive)
	// ErrSpace means that a file system is too small.
	ErrSpace = errors.New("not enough space")
	// ErrDamaged means that a tree, or the manifest itself, is not what the
	// manifest was written for.
	ErrDamaged = errors.New("the files are not those that were unpacked")
)

const (
	// A real runner has about 12,000 entries, 1 MB of names and 700 MB.
	maxEntries = 200_000
	maxText    = 32 << 20 // names and link targets, which are held in memory
	maxBytes   = 8 << 30

	// permissions is what is kept of an entry's mode: no setuid, no setgid,
	// nothing that others may write.
	permissions = 0o755

	// A buffer that fits into a core's second cache is the fastest to pass through.
	bufferSize = 256 << 10
)

// Disk says when what is unpacked has to be on the disk.
type Disk int

const (
	// Later leaves it to the kernel.
	Later Disk = iota
	// Soon begins to write large files while they are made, as a [Sync] follows.
	Soon
)

// Owner is who a copied tree belongs to; the owners named in an archive are
// those of the machine it was made on.
type Owner struct {
	UID, GID int
	// SID is who that is on Windows, which has no numbers: what is in the tree follows from the list of its root.
	SID  string
	Keep bool // leave everything to the account this process runs as
	// Sticky leaves all files to the account this process runs as, which is root, and lets the group add files of its own
	// to the root directory, but neither remove nor change what is not its own.
	Sticky bool
}

// chowns tells whether each file is given away, one by one.
func (o Owner) chowns() bool { return !o.Keep && !o.Sticky && o.SID == "" }

// Remove removes root, and what killed runs of [Clone] have left beside it. It
// may be repeated, and it is no error that nothing is there. What is mounted in
// it stays whole, as [removal.MountedError] says, and nothing else does. The
// caller sees to it that nobody uses root or clones to it meanwhile.
func Remove(root string) error {
	var found removal.Problems
	found.Add(removal.Path(root))
	if err := removeLeftovers(root); !errors.Is(err, fs.ErrNotExist) {
		found.Add(err)
	}
	return found.Err()
}

// Sync waits until everything in dir, and whatever else lies on its file
// system, is on the disk. It is one call for the whole tree: waiting for each
// file is several times slower and makes nothing safer. A file system that
// turns out to be full gives [ErrSpace].
func Sync(dir string) error {
	if err := atomicfile.SyncTree(dir); err != nil {
		return fmt.Errorf("writing %q to the disk: %w", filepath.Base(dir), hostError(err))
	}
	return nil
}

func stagingPrefix(root string) string { return "." + filepath.Base(root) + ".new-" }

// removeLeftovers removes the staging directories of root.
func removeLeftovers(root string) error {
	dir := filepath.Dir(root)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var found removal.Problems
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), stagingPrefix(root)) {
			found.Add(removal.Path(filepath.Join(dir, entry.Name())))
		}
	}
	return found.Err()
}

// hostError marks an error of the host that means a lack of space.
func hostError(err error) error {
	if volume.IsFull(err) && !errors.Is(err, ErrSpace) {
		return fmt.Errorf("%w: %w", ErrSpace, err)
	}
	return err
}

// archiveError tells the host's failures from the archive's.
func archiveError(err error) error {
	var system syscall.Errno
	switch {
	case volume.IsFull(err):
		return hostError(err)
	case errors.Is(err, ErrArchive):
		return err
	case errors.As(err, &system) && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENAMETOOLONG):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
}
