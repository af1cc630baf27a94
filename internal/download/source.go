package download

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/transfer"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// source is an archive as a stream, from a server or from this host.
type source interface {
	io.ReadCloser
	Size() int64    // 0 if unknown
	resumed() int64 // bytes that were on this host before
	path() string   // where it lies when it was read to its end
	// pieced tells whether to read it once more may bring something else.
	pieced() bool
	// blame is told what is wrong with the archive, and says whose fault that may be.
	blame(error) error
}

func (f *Fetcher) open(ctx context.Context, asset Asset, progress Progress) (source, error) {
	switch {
	case asset.File != "":
		return openFile(asset.File, progress)
	case asset.URL == "":
		return nil, fmt.Errorf("%w: it is no longer in the cache", ErrAbsent)
	}
	request := transfer.Request{
		URL: asset.URL, Part: f.Cache.part(asset), Connections: f.Connections, MaxBytes: maxArchive, Stall: stall,
		MostStall: f.MostStall, Begins: begins(asset.Filename), Progress: progress, SHA256: asset.SHA256,
	}
	if asset.Platform.OS != "win" { // a zip is read from the file
		request.SkipDisk = skipDisk
	}
	if !asset.Bearer.Empty() {
		request.Authorize = func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+asset.Bearer.Reveal())
			return nil
		}
	}
	if asset.Mirrored {
		request.Authorize = f.Mirror
	}
	stream, err := transfer.Open(ctx, f.Client, request)
	if err != nil {
		return nil, errors.Join(classify(err), discardEmpty(request.Part))
	}
	return &remote{Stream: stream, part: request.Part}, nil
}

// discardEmpty removes a part file that holds nothing to continue from.
func discardEmpty(part string) error {
	if info, err := os.Stat(part); err != nil || info.Size() > 0 {
		return nil //nolint:nilerr // there is none, or it is of use
	}
	return transfer.Discard(part)
}

// remote is an archive that a server gives.
type remote struct {
	*transfer.Stream
	part string
}

func (r *remote) resumed() int64 { return r.Resumed() }
func (r *remote) path() string   { return r.part }

func (r *remote) pieced() bool {
	pieced, unmeasured := r.Doubts()
	return pieced || unmeasured != ""
}

// blame gives a server that never said how long the archive is the fault: it may have closed the connection before the end.
func (r *remote) blame(err error) error {
	if _, host := r.Doubts(); host != "" {
		//nolint:errorlint // it is not the archive that is to blame
		return fmt.Errorf("%w: %s did not say how long the archive is, and may have ended before: %v", transfer.ErrTransfer, host, err)
	}
	return err
}

// begins looks whether a file begins as archives do: as gzip or zip.
func begins(name string) func([]byte) bool {
	magic := "\x1f\x8b"
	if strings.HasSuffix(name, ".zip") {
		magic = "PK"
	}
	return func(head []byte) bool { return strings.HasPrefix(string(head), magic) }
}

// local is an archive on this host.
type local struct {
	*os.File
	size, done int64
	progress   Progress
}

// opening is what the opening of a file came to.
type opening struct {
	file *os.File
	err  error
}

// openFile opens an archive of this host. One on a file system that does not answer is [folders.ErrSilent].
func openFile(path string, progress Progress) (source, error) {
	opened, answered := folders.Soon(func() (o opening) {
		o.file, o.err = openfile.Open(path)
		return o
	}, func(late opening) {
		if late.err == nil {
			_ = late.file.Close() // it was not read
		}
	})
	file, err := opened.file, opened.err
	switch {
	case !answered:
		return nil, fmt.Errorf("opening %q: %w", path, folders.ErrSilent)
	case errors.Is(err, openfile.ErrNotRegular):
		return nil, fmt.Errorf("%w: %q is no file", ErrAbsent, path)
	case err != nil:
		return nil, absent(err)
	}
	info, err := file.Stat()
	if err == nil && info.Size() > maxArchive {
		err = fmt.Errorf("%w: %q is larger than %d GB", ErrArchive, path, maxArchive>>30)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &local{File: file, size: info.Size(), progress: progress}, nil
}

func (l *local) Size() int64    { return l.size }
func (l *local) resumed() int64 { return 0 }
func (l *local) path() string   { return l.Name() }
func (l *local) pieced() bool   { return false }

func (l *local) blame(err error) error { return err }

func (l *local) Read(p []byte) (int, error) {
	n, err := l.File.Read(p)
	if l.done += int64(n); n > 0 {
		l.progress(l.done, l.size)
	}
	return n, err
}

const (
	chunkSize = 256 << 10
	chunks    = 4
)

// hashing passes a source on while a goroutine of its own reads ahead and
// hashes, so that the one that decodes does neither.
type hashing struct {
	sum        hash.Hash
	full, free chan []byte
	stop       chan struct{}
	end        sync.Once
	ended      chan struct{}
	err        error // of the source; valid once full is closed

	current, rest []byte
}

func hashAhead(from io.Reader) *hashing {
	h := &hashing{
		sum: sha256.New(), full: make(chan []byte, chunks), free: make(chan []byte, chunks),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	for range chunks {
		h.free <- make([]byte, chunkSize)
	}
	go h.ahead(from)
	return h
}

func (h *hashing) ahead(from io.Reader) {
	defer close(h.full)
	defer close(h.ended) // first: the one that sees the end of full may ask why
	for {
		var chunk []byte
		select {
		case chunk = <-h.free:
		case <-h.stop:
			return
		}
		n, err := from.Read(chunk[:chunkSize])
		// A hash never fails to take bytes.
		_, _ = h.sum.Write(chunk[:n])
		if n > 0 {
			h.full <- chunk[:n] // there is room for every chunk
		} else {
			h.free <- chunk
		}
		if err != nil {
			h.err = err
			return
		}
	}
}

// Read implements io.Reader.
func (h *hashing) Read(p []byte) (int, error) {
	if len(h.rest) == 0 {
		if h.current != nil {
			h.free <- h.current
			h.current = nil
		}
		chunk, more := <-h.full
		if !more {
			return 0, h.ending()
		}
		h.current, h.rest = chunk, chunk
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}

func (h *hashing) ending() error {
	if h.err == nil {
		return io.ErrClosedPipe
	}
	return h.err
}

// drain reads what is left.
func (h *hashing) drain() error {
	_, err := io.Copy(io.Discard, h)
	return err
}

// Close ends the reading ahead. The one that made the source ends a read that waits.
func (h *hashing) Close() {
	h.end.Do(func() { close(h.stop) })
	<-h.ended
}

// Sum is the SHA-256 of the whole, once it was read to its end.
func (h *hashing) Sum() []byte { return h.sum.Sum(nil) }

// failure is what the source failed with, if it did so before it was closed.
func (h *hashing) failure() error {
	select {
	case <-h.ended:
	default:
		return nil
	}
	if errors.Is(h.err, io.EOF) {
		return nil
	}
	return h.err
}
