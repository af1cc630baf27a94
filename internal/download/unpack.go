package download

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mholt/archiver/v4"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inflate"
)

const (
	// A real runner has about 10,000 entries and 700 MB.
	maxEntries = 200_000
	maxBytes   = 8 << 30
	// permissions is what is kept of an entry's mode: no setuid, no setgid,
	// nothing that others may write.
	permissions = 0o755
)

// Owner is who an unpacked tree belongs to; the owners named in an archive are
// those of the machine it was made on.
type Owner struct {
	UID, GID int
	Keep     bool // leave everything to the account this process runs as
}

// Unpack makes root from a verified archive. It is unpacked beside root and
// renamed, so root is there whole or not at all; after a failure nothing is
// left. Root must not exist. Every path is confined to the tree by os.Root,
// and only regular files, directories, and links that stay inside are taken.
func Unpack(ctx context.Context, archive, root string, owner Owner) error {
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil { //nolint:gosec // the runner's account passes through it
		return fmt.Errorf("making the runners' directory: %w", err)
	}
	if err := removeNamed(filepath.Dir(root), stagingPrefix(root)); err != nil {
		return fmt.Errorf("removing what an interrupted run left: %w", err)
	}
	staging, err := os.MkdirTemp(filepath.Dir(root), stagingPrefix(root)+"*")
	if err != nil {
		return fmt.Errorf("making the staging directory: %w", err)
	}
	if err := unpackInto(ctx, archive, staging, owner); err != nil {
		return errors.Join(fmt.Errorf("unpacking %s: %w", filepath.Base(archive), err), os.RemoveAll(staging))
	}
	if err := os.Rename(staging, root); err != nil {
		return errors.Join(fmt.Errorf("putting the runner in its place: %w", err), os.RemoveAll(staging))
	}
	return nil
}

// Discard removes root, and what killed runs have left beside it.
func Discard(root string) error {
	if err := os.RemoveAll(root); err != nil {
		return fmt.Errorf("removing the runner's files: %w", err)
	}
	err := removeNamed(filepath.Dir(root), stagingPrefix(root))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what an interrupted run left: %w", err)
	}
	return nil
}

func stagingPrefix(root string) string { return "." + filepath.Base(root) + ".new-" }

// removeNamed removes from dir whatever has mark in its name: what runs that
// were killed have left. The caller holds the host's lock, so nothing of it is
// in use.
func removeNamed(dir, mark string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.Contains(entry.Name(), mark) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func unpackInto(ctx context.Context, archive, dir string, owner Owner) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	// Our own decoder: it is several times faster than archiver's, and it checks
	// the archive's CRC and length, which archiver does not.
	plain := inflate.NewGzipReader(file)
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	w := &writer{tree: tree, owner: owner, dirs: map[string]bool{}}
	if err := (archiver.Tar{}).Extract(ctx, plain, w.entry); err != nil {
		return unpackError(ctx, err)
	}
	// The check sums come behind the end that tar knows.
	if _, err := plain.WriteTo(io.Discard); err != nil {
		return unpackError(ctx, err)
	}
	for _, needed := range []string{"config.sh", "bin/Runner.Listener"} {
		if info, err := tree.Stat(needed); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("%w: it has no %s", ErrLayout, needed)
		}
	}
	// MkdirTemp made it 0700; the runner's files carry their own modes, and
	// its credentials lie in it, so others get nothing.
	return w.finish(".", 0o750)
}

// unpackError tells the host's failures from the archive's.
func unpackError(ctx context.Context, err error) error {
	var system syscall.Errno
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", ErrSpace, err)
	case errors.Is(err, ErrArchive):
		return err
	case errors.As(err, &system) && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENAMETOOLONG):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
}

// writer writes the entries of one archive below tree.
type writer struct {
	tree    *os.Root
	owner   Owner
	dirs    map[string]bool // real directories, known to be no links
	entries int
	bytes   int64
}

func (w *writer) entry(ctx context.Context, info archiver.FileInfo) error {
	if w.entries++; w.entries > maxEntries {
		return fmt.Errorf("%w: more than %d entries", ErrArchive, maxEntries)
	}
	header, ok := info.Header.(*tar.Header)
	if !ok {
		return fmt.Errorf("%w: entry %q has no tar header", ErrArchive, info.NameInArchive)
	}
	name, err := local(header.Name)
	if err != nil {
		return err
	}
	if name == "." {
		return nil
	}
	if err := w.parent(name); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return w.mkdir(name, header.FileInfo().Mode().Perm())
	case tar.TypeReg:
		return w.file(ctx, name, header, info)
	case tar.TypeSymlink:
		return w.symlink(name, header.Linkname)
	case tar.TypeLink:
		return w.hardLink(name, header.Linkname)
	default:
		return fmt.Errorf("%w: entry %q is neither file, directory nor link", ErrArchive, header.Name)
	}
}

// local turns an entry's name into a path inside the tree.
func local(name string) (string, error) {
	clean := path.Clean(strings.TrimSuffix(name, "/"))
	if name == "" || path.IsAbs(name) || !filepath.IsLocal(filepath.FromSlash(clean)) ||
		strings.ContainsAny(name, "\\\x00") {
		return "", fmt.Errorf("%w: entry %q leads out of it", ErrArchive, name)
	}
	return clean, nil
}

// parent makes the directories above name that the archive does not list. None
// of them may be a link: what is written through one would lie elsewhere than
// its name says, and a relative link there would lead elsewhere too.
func (w *writer) parent(name string) error {
	dir := path.Dir(name)
	if dir == "." || w.dirs[dir] {
		return nil
	}
	if err := w.parent(dir); err != nil {
		return err
	}
	return w.mkdir(dir, permissions)
}

// mkdir makes a directory, or sets the mode of one that is there already.
func (w *writer) mkdir(name string, mode fs.FileMode) error {
	err := w.tree.Mkdir(name, permissions)
	if errors.Is(err, fs.ErrExist) {
		info, statErr := w.tree.Lstat(name)
		if statErr != nil || !info.IsDir() {
			return fmt.Errorf("%w: directory %q would replace another entry", ErrArchive, name)
		}
	} else if err != nil {
		return err
	}
	w.dirs[name] = true
	return w.finish(name, mode&permissions|0o700)
}

func (w *writer) file(ctx context.Context, name string, header *tar.Header, info archiver.FileInfo) error {
	if w.bytes += header.Size; w.bytes > maxBytes {
		return fmt.Errorf("%w: more than %d bytes", ErrArchive, int64(maxBytes))
	}
	source, err := info.Open()
	if err != nil {
		return err
	}
	defer source.Close()
	// O_EXCL: no entry may overwrite another, or write through a link.
	target, err := w.tree.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, permissions)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, &interruptible{ctx: ctx, reader: source})
	if err := errors.Join(err, target.Close()); err != nil {
		return err
	}
	return w.finish(name, header.FileInfo().Mode().Perm()&permissions|0o600)
}

func (w *writer) symlink(name, target string) error {
	if !staysInside(name, target) {
		return fmt.Errorf("%w: link %q leads out of it to %q", ErrArchive, name, target)
	}
	if err := w.tree.Symlink(target, name); err != nil {
		return err
	}
	return w.own(name)
}

// staysInside tells whether a link called name that points to target can only
// lead to a place inside the tree. A ".." after a name is refused, as that name
// may be a link itself and the text then tells nothing about the place.
func staysInside(name, target string) bool {
	if target == "" || path.IsAbs(target) || strings.Contains(target, "\\") {
		return false
	}
	named := false
	for part := range strings.SplitSeq(target, "/") {
		if part == ".." && named {
			return false
		}
		named = named || part != ".." && part != "." && part != ""
	}
	return filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target)))
}

// hardLink links to an earlier regular file. A second name for a symbolic link
// could lie at another depth and so lead out of the tree.
func (w *writer) hardLink(name, target string) error {
	existing, err := local(target)
	if err != nil {
		return err
	}
	if info, err := w.tree.Lstat(existing); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%w: hard link %q has no earlier file %q", ErrArchive, name, target)
	}
	return w.tree.Link(existing, name)
}

// finish sets mode and owner of a file or directory that this writer made. The
// mode given at creation has passed the umask.
func (w *writer) finish(name string, mode fs.FileMode) error {
	if err := w.tree.Chmod(name, mode); err != nil {
		return err
	}
	return w.own(name)
}

func (w *writer) own(name string) error {
	if w.owner.Keep {
		return nil
	}
	return w.tree.Lchown(name, w.owner.UID, w.owner.GID)
}

// interruptible ends a copy when its context ends.
type interruptible struct {
	ctx    context.Context
	reader io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.reader.Read(p)
}
