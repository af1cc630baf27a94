package unpack

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// builder makes a tree below top and keeps the list of what it made. One
// goroutine decides with it what may be made; hands write the files.
type builder struct {
	names naming.Rules
	top   *os.Root
	dir   *openat.Dir // the same
	exact bool        // the modes given at creation are those that come out
	// unmade is set where files are made when all have been listed.
	unmade bool
	linked map[string]bool // files that have other names
	heirs  int             // of those that were replaced

	hand    *hand            // for everything but small files
	small   *smallWriter     // nil where every file has a hand of its own
	known   map[string]int32 // by key
	entries []entry
	headers int
	text    int
	bytes   int64
}

// newBuilder makes a builder for dir, which is empty. Close ends it.
func newBuilder(dir string, names naming.Rules) (*builder, error) {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	b := &builder{names: names, top: top, known: map[string]int32{}, linked: map[string]bool{}}
	if b.exact, err = keepsModes(top); err == nil {
		b.dir, err = openat.Open(top)
	}
	if err != nil {
		_ = top.Close()
		return nil, err
	}
	b.hand = b.newHand()
	return b, nil
}

func (b *builder) close() {
	if b.small != nil {
		b.small.close()
	}
	b.hand.close()
	b.dir.Close()
	_ = b.top.Close()
}

// wait waits until every file that was added is there.
func (b *builder) wait() error {
	if b.small == nil {
		return nil
	}
	return b.small.wait()
}

// keepsModes tries whether a mode survives the umask and what the directory
// passes on (a default ACL, setgid). Where it does, as nearly everywhere, no
// mode needs to be set a second time.
func keepsModes(top *os.Root) (bool, error) {
	const probe = ".mode"
	if err := top.Mkdir(probe, permissions); err != nil {
		return false, fmt.Errorf("trying the umask: %w", err)
	}
	info, err := top.Lstat(probe)
	if err := errors.Join(err, top.Remove(probe)); err != nil {
		return false, fmt.Errorf("trying the umask: %w", err)
	}
	return info.Mode() == fs.ModeDir|permissions, nil
}

// header counts what an archive lists, of whatever kind.
func (b *builder) header() error {
	if b.headers++; b.headers > maxEntries {
		return fmt.Errorf("%w: more than %d entries", ErrArchive, maxEntries)
	}
	return nil
}

// add lists an entry that is about to be made, and makes the directories above
// it. Its path is clean and not ".".
func (b *builder) add(e entry) (*entry, error) {
	if err := b.parent(e.path); err != nil {
		return nil, err
	}
	key := b.names.Key(e.path)
	if i, ok := b.known[key]; ok {
		if err := b.replace(i, e); err != nil {
			return nil, err
		}
	}
	switch b.text += len(e.path) + len(e.target); {
	case len(b.entries) >= maxEntries:
		return nil, fmt.Errorf("%w: more than %d entries", ErrArchive, maxEntries)
	case b.text > maxText:
		return nil, fmt.Errorf("%w: more than %d bytes of names", ErrArchive, maxText)
	case e.size < 0 || e.size > maxBytes-b.bytes:
		return nil, fmt.Errorf("%w: more than %d bytes with entry %q", ErrArchive, int64(maxBytes), e.path)
	}
	b.bytes += e.size
	b.known[key] = int32(len(b.entries) & 0x7fffffff) // there are 200,000 at most
	b.entries = append(b.entries, e)
	return &b.entries[len(b.entries)-1], nil
}

// replaced is the kind of an entry whose place another one has taken.
const replaced = 0

// replace makes room for e in the place of an earlier file or link of the very same name, as tar does it: what it makes is
// new, and nothing is written into or through what was there. Other names of an earlier file keep it.
func (b *builder) replace(i int32, e entry) error {
	old := &b.entries[i]
	if old.kind == aDir || old.path != e.path {
		return fmt.Errorf("%w: entry %q would replace %q", ErrArchive, e.path, old.path)
	}
	if b.unmade {
		old.kind = replaced
		return nil
	}
	if err := b.wait(); err != nil {
		return err
	}
	if b.linked[old.path] {
		if err := b.bequeath(old); err != nil {
			return err
		}
	}
	old.kind = replaced
	return b.top.Remove(old.path)
}

// bequeath makes another name of a file the one that has its content.
func (b *builder) bequeath(old *entry) error {
	const most = 1000 // each takes a look at all entries
	if b.heirs++; b.heirs > most {
		return fmt.Errorf("%w: more than %d files with several names are listed again", ErrArchive, most)
	}
	heir := ""
	for i := range b.entries {
		switch other := &b.entries[i]; {
		case other.kind != aHardLink || other.target != old.path:
		case heir == "":
			heir, other.kind, other.target = other.path, aFile, ""
			other.size, other.crc, other.mode, other.mtime = old.size, old.crc, old.mode, old.mtime
		default:
			other.target = heir
			b.linked[heir] = true
		}
	}
	delete(b.linked, old.path)
	return nil
}

// parent makes the directories above name that the archive has not listed. None
// of them may be a link: what is written through one would lie elsewhere than
// its name says, and a relative link there would lead elsewhere too.
func (b *builder) parent(name string) error {
	dir := above(name)
	if dir == "." {
		return nil
	}
	if i, ok := b.known[b.names.Key(dir)]; ok && b.entries[i].kind == aDir && b.entries[i].path == dir {
		return nil
	}
	return b.mkdir(dir, permissions)
}

// mkdir makes a directory, or sets the mode of one that is there already.
func (b *builder) mkdir(name string, mode uint16) error {
	if name == "." {
		return nil // the caller's
	}
	mode = mode&permissions | 0o700
	if i, ok := b.known[b.names.Key(name)]; ok {
		e := &b.entries[i]
		if e.kind != aDir || e.path != name {
			return fmt.Errorf("%w: directory %q would replace %q", ErrArchive, name, e.path)
		}
		if e.mode == mode {
			return nil
		}
		e.mode = mode
		return b.hand.chmod(name, mode)
	}
	if _, err := b.add(entry{kind: aDir, path: name, mode: mode}); err != nil {
		return err
	}
	return b.hand.mkdir(name, mode)
}

func (b *builder) symlink(name, target string) error {
	if !b.names.StaysInside(name, target) {
		return fmt.Errorf("%w: link %q leads out of it to %.300q", ErrArchive, name, target)
	}
	if _, err := b.add(entry{kind: aLink, path: name, target: target}); err != nil {
		return err
	}
	return b.hand.symlink(name, target)
}

// hardLink links to an earlier regular file. A second name for a symbolic link
// could lie at another depth and so lead out of the tree.
func (b *builder) hardLink(name, target string) error {
	existing, err := b.names.Clean(target)
	if err != nil {
		return err
	}
	i, ok := b.known[b.names.Key(existing)]
	if ok && b.entries[i].kind == aHardLink && b.entries[i].path == existing {
		existing = b.entries[i].target
		i = b.known[b.names.Key(existing)]
	}
	if !ok || b.entries[i].kind != aFile || b.entries[i].path != existing {
		return fmt.Errorf("%w: hard link %q has no earlier file %.300q", ErrArchive, name, target)
	}
	if existing == name || b.isName(name, existing) {
		return nil // it is that file already, which tar finds as well
	}
	if _, err := b.add(entry{kind: aHardLink, path: name, target: existing}); err != nil {
		return err
	}
	if err := b.wait(); err != nil {
		return err
	}
	b.linked[existing] = true
	return b.top.Link(existing, name)
}

// isName tells whether name is another name of a file.
func (b *builder) isName(name, file string) bool {
	i, ok := b.known[b.names.Key(name)]
	return ok && b.entries[i].kind == aHardLink && b.entries[i].path == name && b.entries[i].target == file
}

// finish returns the manifest of a whole runner.
func (b *builder) finish() (*Manifest, error) {
	m := newManifest(slices.DeleteFunc(b.entries, func(e entry) bool { return e.kind == replaced }))
	needed := []string{"config.sh", "bin/Runner.Listener"}
	if b.names == naming.Windows {
		needed = []string{"config.cmd", "bin/Runner.Listener.exe"}
	}
	for _, name := range needed {
		if !m.isFile(name) {
			return nil, fmt.Errorf("%w: it has no %s", ErrLayout, name)
		}
	}
	return m, nil
}

// hand is what one goroutine writes with.
type hand struct {
	chain  openat.Chain
	exact  bool
	disk   Disk
	buffer []byte // as large as the largest file needed
}

func (b *builder) newHand() *hand { return &hand{chain: openat.Chain{Top: b.dir}, exact: b.exact} }

func (h *hand) close() { h.chain.Close() }

// file writes one file, and its checksum and what it is known by into e. It reads source to its
// end, which must come after e.size bytes.
func (h *hand) file(ctx context.Context, e *entry, source io.Reader) error {
	dir, base := split(e.path)
	parent, err := h.chain.At(dir)
	if err != nil {
		return err
	}
	// No entry may overwrite another, or write through a link.
	file, err := parent.Create(base, e.perm())
	if err != nil {
		return fmt.Errorf("making %q: %w", e.path, err)
	}
	err = h.content(ctx, e, file, source)
	if err == nil && !h.exact {
		err = file.Chmod(e.perm())
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", e.path, err)
	}
	if err := parent.Touch(base, time.Unix(e.mtime, 0)); err != nil {
		return fmt.Errorf("setting the time of %q: %w", e.path, err)
	}
	if e.inode, e.changed, err = openat.Known(parent, base); err != nil {
		return fmt.Errorf("looking at %q: %w", e.path, err)
	}
	return nil
}

func (h *hand) content(ctx context.Context, e *entry, file *openat.File, source io.Reader) error {
	if want := int(min(bufferSize, max(e.size, 4<<10))); len(h.buffer) < want {
		h.buffer = make([]byte, want)
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	var size, begun int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := fillBuffer(source, h.buffer)
		if size += int64(n); size > e.size {
			return fmt.Errorf("%w: entry %q is longer than it says", ErrArchive, e.path)
		}
		if n > 0 {
			e.crc = crc32.Update(e.crc, castagnoli, h.buffer[:n])
			if _, err := file.Write(h.buffer[:n]); err != nil {
				return err
			}
			if h.disk == Soon {
				begun = file.WriteBack(begun, size, e.size)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && size == e.size:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: entry %q is shorter than it says", ErrArchive, e.path)
		case err != nil:
			return err
		}
	}
}

// fillBuffer reads until the buffer is full, or up to source's end or failure. Pages
// that are written whole cost the kernel a quarter less than those it has to come back
// to, and blocks of a decoder end anywhere.
func fillBuffer(source io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var more int
		more, err = source.Read(buffer[n:])
		n += more
	}
	return n, err
}

func (h *hand) mkdir(name string, mode uint16) error {
	dir, base := split(name)
	parent, err := h.chain.At(dir)
	if err != nil {
		return err
	}
	if err := parent.Mkdir(base, fs.FileMode(mode)); err != nil {
		return fmt.Errorf("making directory %q: %w", name, err)
	}
	if h.exact {
		return nil
	}
	return h.chmod(name, mode)
}

func (h *hand) chmod(name string, mode uint16) error {
	dir, base := split(name)
	parent, err := h.chain.At(dir)
	if err != nil {
		return err
	}
	if err := parent.Chmod(base, fs.FileMode(mode)); err != nil {
		return fmt.Errorf("setting the mode of directory %q: %w", name, err)
	}
	return nil
}

func (h *hand) symlink(name, target string) error {
	dir, base := split(name)
	parent, err := h.chain.At(dir)
	if err != nil {
		return err
	}
	if err := parent.Symlink(target, base); err != nil {
		return fmt.Errorf("making link %q: %w", name, err)
	}
	return nil
}
