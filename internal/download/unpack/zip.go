package unpack

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/workers"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inflate"
)

const (
	// A real runner's zip has less than 1 MB of directory.
	maxDirectory = 24 << 20
	maxWorkers   = 16

	zipMode      = 0o755 // Windows has none, and tells nowhere what is a program
	zipEncrypted = 1 << 0
)

// Zip makes the files of a zip below dir, with so many workers, and with
// the promises of [Tar]. A zip of GitHub's knows neither modes nor links:
// files get mode 0755, links are refused.
func Zip(ctx context.Context, archive io.ReaderAt, size int64, dir string, names naming.Rules, workers int) (*Manifest, error) {
	b, err := newBuilder(dir, names)
	if err != nil {
		return nil, fmt.Errorf("unpacking the archive: %w", hostError(err))
	}
	defer b.close()
	source := &bounded{source: archive}
	err = unzip(ctx, b, source, size, min(max(workers, 1), maxWorkers))
	var m *Manifest
	switch failure := source.failure.Load(); {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err == nil:
		m, err = b.finish()
	case failure != nil:
		err = *failure
	default:
		err = archiveError(err)
	}
	if err != nil {
		return nil, fmt.Errorf("unpacking the archive: %w", err)
	}
	return m, nil
}

func unzip(ctx context.Context, b *builder, source *bounded, size int64, several int) error {
	source.left.Store(maxDirectory)
	// Not archiver's Zip: it goes through one entry after the other, and cannot
	// be given a faster decoder.
	list, err := zip.NewReader(source, size)
	if err != nil {
		return err
	}
	source.open.Store(true)
	decoders := &sync.Pool{New: func() any { return &pooled{Reader: inflate.NewReader(nil)} }}
	list.RegisterDecompressor(zip.Deflate, func(in io.Reader) io.ReadCloser {
		decoder := decoders.Get().(*pooled) //nolint:forcetypeassert // nothing else is put there
		decoder.Reset(in)
		decoder.pool = decoders
		return decoder
	})
	files, err := plan(ctx, b, list.File)
	if err != nil {
		return err
	}
	var next atomic.Int64
	return workers.Run(ctx, several, func(ctx context.Context, _ int) error {
		h := b.newHand()
		defer h.close()
		for {
			i := next.Add(1) - 1
			if i >= int64(len(files)) {
				return nil
			}
			if err := member(ctx, h, &b.entries[files[i].entry], files[i].file); err != nil {
				return err
			}
		}
	})
}

// planned is a file that is going to be written.
type planned struct {
	file  *zip.File
	entry int
}

// plan checks all entries before the first file is written, and makes the
// directories. The big files come first, so that no worker is left alone with
// one at the end.
func plan(ctx context.Context, b *builder, list []*zip.File) ([]planned, error) {
	var files []planned
	b.unmade = true
	for _, file := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := b.header(); err != nil {
			return nil, err
		}
		name, err := b.names.Clean(file.Name)
		if err != nil {
			return nil, err
		}
		if isDir, err := permitted(file); err != nil {
			return nil, err
		} else if isDir {
			if err := b.mkdir(name, zipMode); err != nil {
				return nil, err
			}
			continue
		}
		if name == "." {
			return nil, fmt.Errorf("%w: entry %q is no directory", ErrArchive, file.Name)
		}
		size := int64(min(file.UncompressedSize64, maxBytes+1))
		if _, err := b.add(entry{kind: aFile, path: name, mode: zipMode, size: size, mtime: seconds(file.Modified)}); err != nil {
			return nil, err
		}
		files = append(files, planned{file: file, entry: len(b.entries) - 1})
	}
	// The last one of a name counts, as for unzip -o.
	files = slices.DeleteFunc(files, func(p planned) bool { return b.entries[p.entry].kind == replaced })
	slices.SortStableFunc(files, func(x, y planned) int {
		return cmp.Compare(b.entries[y.entry].size>>20, b.entries[x.entry].size>>20)
	})
	return files, nil
}

// permitted tells directories from files, and refuses everything else.
func permitted(file *zip.File) (isDir bool, err error) {
	kind := file.Mode().Type()
	size := file.UncompressedSize64
	switch {
	case file.Flags&zipEncrypted != 0:
		return false, fmt.Errorf("%w: entry %.300q is encrypted", ErrArchive, file.Name)
	case kind != 0 && kind != fs.ModeDir:
		return false, fmt.Errorf("%w: entry %.300q is neither file nor directory", ErrArchive, file.Name)
	case strings.HasSuffix(file.Name, "/") && size > 0:
		return false, fmt.Errorf("%w: directory %.300q has content", ErrArchive, file.Name)
	case kind == fs.ModeDir:
		return true, nil
	case file.Method != zip.Store && file.Method != zip.Deflate:
		return false, fmt.Errorf("%w: entry %.300q is packed in a way of its own (%d)", ErrArchive, file.Name, file.Method)
	case file.CRC32 == 0 && size > 0:
		// archive/zip takes this for "unknown" and does not look.
		return false, fmt.Errorf("%w: entry %.300q has no checksum", ErrArchive, file.Name)
	}
	return false, nil
}

// member writes one file.
func member(ctx context.Context, h *hand, e *entry, file *zip.File) error {
	content, err := file.Open()
	if err != nil {
		return fmt.Errorf("reading entry %q: %w", e.path, err)
	}
	return errors.Join(h.file(ctx, e, content), content.Close())
}

// pooled is a decoder that is used for one entry after the other.
type pooled struct {
	*inflate.Reader
	pool *sync.Pool
}

func (p *pooled) Close() error {
	p.pool.Put(p)
	return nil
}

// bounded limits how much of an archive is read before it is open: archive/zip
// lists all that a directory has, whatever count stands in front of it. It also
// remembers a failure to read, which is no failing of the archive.
type bounded struct {
	source  io.ReaderAt
	left    atomic.Int64
	open    atomic.Bool
	failure atomic.Pointer[error]
}

func (b *bounded) ReadAt(p []byte, off int64) (int, error) {
	if !b.open.Load() && b.left.Add(-int64(len(p))) < 0 {
		return 0, fmt.Errorf("%w: a directory of more than %d bytes", ErrArchive, maxDirectory)
	}
	if off < 0 {
		return 0, fmt.Errorf("%w: it refers to what is before its start", ErrArchive)
	}
	n, err := b.source.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failure.Store(&err)
	}
	return n, err
}
