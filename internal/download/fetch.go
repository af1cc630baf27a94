// Package download brings the runner onto this host: it chooses the archive
// for the platform, fetches it, proves it by its SHA-256 and unpacks it.
package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	attempts  = 4
	firstWait = time.Second
	// stall is how long a download may go without one byte.
	stall = 30 * time.Second
	// expansion is how many times an archive's size its tree may need: about
	// 3.1 for the real ones.
	expansion = 4
	// partMark is in the name of every file that is not verified yet.
	partMark = ".part-"
)

// Progress is called while an archive is received, often and from one
// goroutine; total is 0 where the server does not tell.
type Progress func(done, total int64)

// Fetcher fetches archives into a directory that holds nothing but verified
// ones.
type Fetcher struct {
	Client *http.Client
	Cache  string
}

// Fetch returns the path of the archive, received now or found verified
// already (cached). Whoever gets a path may trust its content. After a failure
// no file is left. It may be repeated, by one process at a time: it removes
// what a killed one left.
func (f *Fetcher) Fetch(ctx context.Context, asset Asset, progress Progress) (path string, cached bool, err error) {
	path = filepath.Join(f.Cache, asset.Filename)
	sum, err := digestFile(path)
	if err == nil && sum == asset.SHA256 {
		return path, true, nil
	}
	if err := os.MkdirAll(f.Cache, 0o755); err != nil { //nolint:gosec // public archives
		return "", false, fmt.Errorf("making the cache: %w", err)
	}
	if err := removeNamed(f.Cache, partMark); err != nil {
		return "", false, fmt.Errorf("removing what an interrupted run left: %w", err)
	}
	wait := firstWait
	for attempt := 1; ; attempt++ {
		err = f.receive(ctx, asset, path, progress)
		if err == nil || attempt == attempts || !transient(err) {
			break
		}
		select {
		case <-ctx.Done():
			return "", false, fmt.Errorf("fetching %s: %w", asset.Filename, ctx.Err())
		case <-time.After(wait):
		}
		wait *= 2
	}
	if err != nil {
		return "", false, fmt.Errorf("fetching %s: %w", asset.Filename, err)
	}
	return path, false, nil
}

// transient tells whether another try may go better.
func transient(err error) bool {
	var refused *statusError
	if errors.As(err, &refused) {
		return refused.status >= 500 || refused.status == http.StatusTooManyRequests
	}
	return errors.Is(err, ErrTransfer)
}

type statusError struct{ status int }

func (e *statusError) Error() string   { return fmt.Sprintf("the download host answered %d", e.status) }
func (e *statusError) Is(t error) bool { return t == ErrTransfer }

// receive streams the archive into a part file while hashing it, and renames
// it when its digest is right.
func (f *Fetcher) receive(ctx context.Context, asset Asset, path string, progress Progress) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(stall, func() {
		cancel(fmt.Errorf("%w: no byte for %s", ErrTransfer, stall))
	})
	defer watchdog.Stop()

	body, length, err := f.open(ctx, asset)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := room(f.Cache, length); err != nil {
		return err
	}
	part, err := os.CreateTemp(f.Cache, asset.Filename+partMark+"*")
	if err != nil {
		return fmt.Errorf("making the part file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	sum := sha256.New()
	source := &meter{reader: body, total: length, report: progress, moved: func() { watchdog.Reset(stall) }}
	_, err = io.Copy(io.MultiWriter(part, sum), source)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	err = errors.Join(err, part.Chmod(0o644), part.Sync(), part.Close())
	if err != nil {
		return classify(err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != asset.SHA256 {
		return &DigestError{File: asset.Filename, Want: asset.SHA256, Got: got}
	}
	return os.Rename(part.Name(), path)
}

func (f *Fetcher) open(ctx context.Context, asset Asset) (io.ReadCloser, int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, asset.URL, nil)
	if err != nil {
		return nil, 0, err
	}
	if !asset.Bearer.Empty() {
		req.Header.Set("Authorization", "Bearer "+asset.Bearer.Reveal())
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		return nil, 0, fmt.Errorf("%w: %w", ErrTransfer, withoutURL(err))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, 0, errors.Join(&statusError{resp.StatusCode}, resp.Body.Close())
	}
	return resp.Body, max(0, resp.ContentLength), nil
}

// classify names the kinds of failure of a transfer: this host's disk, which no
// other try can mend, and the network.
func classify(err error) error {
	var disk *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", ErrSpace, err)
	case errors.As(err, &disk), errors.Is(err, ErrTransfer),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrTransfer, err)
	}
}

// room refuses to begin what cannot end well.
func room(dir string, archive int64) error {
	free, err := freeBytes(dir)
	if err != nil || archive == 0 {
		return nil //nolint:nilerr // where it cannot be told, the write will tell
	}
	if free/(1+expansion) < archive {
		return fmt.Errorf("%w in %q: %d MB free, about %d MB needed", ErrSpace, dir, free>>20, (archive>>20)*(1+expansion))
	}
	return nil
}

// meter counts what passes through it.
type meter struct {
	reader      io.Reader
	done, total int64
	report      Progress
	moved       func()
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.reader.Read(p)
	if n > 0 {
		m.moved()
		m.done += int64(n)
		m.report(m.done, m.total)
	}
	return n, err
}

func digestFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
