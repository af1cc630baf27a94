package unpack

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mholt/archiver/v4"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/ahead"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
)

const (
	// What a tar may have beyond the content of its files: headers, long names,
	// and zeros at its end.
	maxStream = maxBytes + maxEntries*naming.MaxName
	// volumeLabel is the type of an entry that names a whole archive of GNU tar's (--label), and is no file.
	volumeLabel = 'V'
)

// Tar makes the files of a gzip'd tar below dir, which exists, is empty,
// and is open to this process's account only. Nothing in the archive is executed.
//
// Source is read to its end: the CRC-32 and the length are checked, and nothing
// but zeros may stand behind. A file or link that is listed again takes the place of the
// one before, as it does for tar. Whether it is the right archive is for the caller to find
// out. Source's own failure is returned as it is. Modes are those of the archive
// without what others may write, whatever the umask; times are in whole seconds;
// everything belongs to the account of this process. Disk says when it has to be
// on the disk.
//
// After a failure dir holds garbage, which the caller removes. [ErrArchive] and
// [ErrLayout] say that the archive is to blame, [ErrSpace] that the disk is too
// small. When ctx ends Tar returns its error, once a Read of source that
// was under way has returned.
func Tar(ctx context.Context, source io.Reader, dir string, names naming.Rules, disk Disk) (*Manifest, error) {
	b, err := newBuilder(dir, names)
	if err != nil {
		return nil, fmt.Errorf("unpacking the archive: %w", hostError(err))
	}
	defer b.close()
	b.hand.disk = disk
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	b.startSmall(within)
	u := &untar{builder: b, in: ahead.NewReader(within, source, maxStream)}
	err = u.run(within)
	cancel()
	u.in.Wait()
	if u.err != nil {
		err = u.err // without archiver's words, which do not quote the name
	}
	var m *Manifest
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err == nil:
		m, err = b.finish()
	case u.in.SourceErr() != nil:
		err = u.in.SourceErr()
	default:
		err = archiveError(err)
	}
	if err != nil {
		return nil, fmt.Errorf("unpacking the archive: %w", err)
	}
	return m, nil
}

// untar takes one tar apart.
type untar struct {
	builder *builder
	in      *ahead.Reader
	err     error // what an entry failed with
}

func (u *untar) run(ctx context.Context) error {
	if err := (archiver.Tar{}).Extract(ctx, u.in, u.entry); err != nil {
		return err
	}
	// A tar ends with two blocks of zeros, which tar itself can do without: that nothing was cut off is for gzip to know.
	const block = 512
	if u.in.Offset()%block != 0 {
		return fmt.Errorf("%w: it ends within a block", ErrArchive)
	}
	if err := u.in.Zeros(); err != nil {
		return err
	}
	return u.builder.wait()
}

// entry is called for each.
func (u *untar) entry(ctx context.Context, info archiver.FileInfo) error {
	header, ok := info.Header.(*tar.Header)
	if !ok {
		u.err = fmt.Errorf("%w: entry %q has no tar header", ErrArchive, info.NameInArchive)
	} else {
		u.err = u.one(ctx, header, info)
	}
	return u.err
}

func (u *untar) one(ctx context.Context, header *tar.Header, info archiver.FileInfo) error {
	b := u.builder
	if err := b.header(); err != nil {
		return err
	}
	if header.Typeflag == volumeLabel {
		return nil
	}
	name, err := b.names.Clean(header.Name)
	if err != nil {
		return err
	}
	mode := uint16(header.Mode & permissions)
	switch {
	case header.Typeflag == tar.TypeDir:
		return b.mkdir(name, mode)
	case name == ".":
		return fmt.Errorf("%w: entry %q is no directory", ErrArchive, header.Name)
	case header.Typeflag == tar.TypeSymlink:
		return b.symlink(name, header.Linkname)
	case header.Typeflag == tar.TypeLink:
		return b.hardLink(name, header.Linkname)
	case header.Typeflag != tar.TypeReg && header.Typeflag != tar.TypeCont:
		return fmt.Errorf("%w: entry %q is neither file, directory nor link", ErrArchive, name)
	case sparse(header):
		return fmt.Errorf("%w: entry %q has holes", ErrArchive, name)
	}
	e, err := b.add(entry{kind: aFile, path: name, mode: mode | 0o600, size: header.Size, mtime: seconds(header.ModTime)})
	if err != nil {
		return err
	}
	content, err := info.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	if b.small != nil && e.size <= smallFile {
		return b.small.write(len(b.entries)-1, *e, content)
	}
	return b.hand.file(ctx, e, content)
}

// sparse tells whether a file's size is not that of its data: a few bytes of
// archive could fill a disk, and a runner has no such files.
func sparse(header *tar.Header) bool {
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}
