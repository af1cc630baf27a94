package githubtest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ArchiveSpec says what archive to make.
type ArchiveSpec struct {
	Platform string // such as "linux-x64"; "win-…" makes a zip
	Version  string // such as "2.337.0"
	// Listener is the program BuildListener made; empty puts in a script that can only tell its version.
	Listener string
	// First, if set, is a script in the listener's place; the listener itself is then bin/Runner.Simulated.
	First string
	// Padding adds so many bytes that do not compress, spread over many files below externals.
	Padding int64
	// Extra are further entries, odd or hostile, after the ordinary ones.
	Extra []Entry
	// Dir, if set, is where the archive is written to, instead of keeping it in memory.
	Dir string
}

// Entry is one entry of an archive, taken as it is: nothing about it is checked.
type Entry struct {
	Name string
	Type byte // as in archive/tar; zero is a regular file
	Link string
	Body string
	Mode int64 // as in archive/tar, with setuid and the like; zero is 0644, 0755 for a folder
}

// Archive is a runner archive to offer.
type Archive struct {
	Platform, Version, Filename string
	SHA256                      string
	Size                        int64
	open                        func() (io.ReadSeekCloser, error)
}

// Open reads the archive from its start.
func (a *Archive) Open() (io.ReadSeekCloser, error) { return a.open() }

// NewArchive makes an archive with the layout of the real one. The same spec makes the same bytes.
func NewArchive(spec ArchiveSpec) (*Archive, error) {
	name := archiveName(spec.Platform, spec.Version)
	sum := sha256.New()
	if spec.Dir == "" {
		var buf bytes.Buffer
		if err := writeArchive(io.MultiWriter(&buf, sum), spec); err != nil {
			return nil, fmt.Errorf("building %s: %w", name, err)
		}
		return memoryArchive(spec.Platform, spec.Version, buf.Bytes(), sum), nil
	}
	file := filepath.Join(spec.Dir, name)
	size, err := writeArchiveFile(file, spec, sum)
	if err != nil {
		return nil, fmt.Errorf("building %q: %w", file, err)
	}
	return &Archive{
		Platform: spec.Platform, Version: spec.Version, Filename: name,
		SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size,
		open: func() (io.ReadSeekCloser, error) { return os.Open(file) },
	}, nil
}

// ArchiveOf offers any bytes as the archive of a platform and version, such as a broken one.
func ArchiveOf(platform, version string, data []byte) *Archive {
	sum := sha256.New()
	// A hash never fails to take bytes.
	_, _ = sum.Write(data)
	return memoryArchive(platform, version, data, sum)
}

func memoryArchive(platform, version string, data []byte, sum hash.Hash) *Archive {
	return &Archive{
		Platform: platform, Version: version, Filename: archiveName(platform, version),
		SHA256: hex.EncodeToString(sum.Sum(nil)), Size: int64(len(data)),
		open: func() (io.ReadSeekCloser, error) { return openBytes{bytes.NewReader(data)}, nil },
	}
}

type openBytes struct{ *bytes.Reader }

func (openBytes) Close() error { return nil }

func archiveName(platform, version string) string {
	ending := ".tar.gz"
	if onWindows(platform) {
		ending = ".zip"
	}
	return "actions-runner-" + platform + "-" + version + ending
}

func onWindows(platform string) bool { return strings.HasPrefix(platform, "win-") }

func writeArchiveFile(file string, spec ArchiveSpec, sum io.Writer) (size int64, err error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	out := bufio.NewWriterSize(f, 1<<20)
	if err := writeArchive(io.MultiWriter(out, sum), spec); err != nil {
		return 0, err
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func writeArchive(w io.Writer, spec ArchiveSpec) error {
	entries, err := layoutEntries(spec)
	if err != nil {
		return err
	}
	p := newPacker(w, onWindows(spec.Platform))
	for _, e := range entries {
		if err := p.add(e, int64(len(e.Body)), strings.NewReader(e.Body)); err != nil {
			return err
		}
	}
	if err := addPadding(p, spec.Padding); err != nil {
		return err
	}
	for _, e := range spec.Extra {
		if err := p.add(e, int64(len(e.Body)), strings.NewReader(e.Body)); err != nil {
			return err
		}
	}
	return p.close()
}

// made is the time of every entry: an archive must not depend on when it was built.
func made() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
