package download

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"weak"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack"
)

// manifest reads what the entry's files should be.
func (e Entry) manifest() (*unpack.Manifest, error) {
	file, err := os.Open(filepath.Join(e.Dir, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w: %w", ErrDamaged, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	if m := readBefore.get(info); m != nil {
		return m, nil
	}
	m, err := unpack.ReadManifest(file)
	if err == nil {
		readBefore.set(info, m)
	}
	return m, err
}

// Hold keeps what is known of an asset's files in memory until release is called, so that it is not read several times by what
// is done meanwhile. Where it cannot be read, nothing is held.
func (f *Fetcher) Hold(asset Asset) (release func()) {
	entry, found := f.Cache.Find(asset)
	if !found {
		return func() {}
	}
	manifest, err := entry.manifest()
	if err != nil {
		return func() {}
	}
	return func() { runtime.KeepAlive(manifest) }
}

// readBefore is the manifest that was read last, while it is in memory: one command looks at the same one several times, and
// to read it takes as long as most of what it is read for.
//
//nolint:gochecknoglobals // it holds nothing that is not in the file as well
var readBefore lastManifest

type lastManifest struct {
	mu       sync.Mutex
	file     fs.FileInfo
	manifest weak.Pointer[unpack.Manifest]
}

// get is the manifest of a file, if that is the one that was read, and not written to since.
func (l *lastManifest) get(file fs.FileInfo) *unpack.Manifest {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || !os.SameFile(l.file, file) || l.file.Size() != file.Size() || !l.file.ModTime().Equal(file.ModTime()) {
		return nil
	}
	return l.manifest.Value()
}

func (l *lastManifest) set(file fs.FileInfo, m *unpack.Manifest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file, l.manifest = file, weak.Make(m)
}
