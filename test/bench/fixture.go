package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// version is what the archive says to be; nothing compares it with GitHub's.
const version = "2.337.0"

// fixture is a pair of archives like those of a GitHub Actions runner, with real
// programs and libraries inside: what a decoder does depends on the content.
type fixture struct {
	Tar fixtureFile `json:"tar"`
	Zip fixtureFile `json:"zip"`
}

type fixtureFile struct {
	Path     string `json:"-"`
	Name     string `json:"name"`
	SHA256   string `json:"sha256"`
	Packed   int64  `json:"packed"`
	Unpacked int64  `json:"unpacked"`
	Files    int    `json:"files"`
	Dirs     int    `json:"dirs"`
	Links    int    `json:"links"`
}

func (f fixtureFile) String() string {
	return fmt.Sprintf("%s: %.1f MB packed, %.1f MB unpacked, %d files, %d directories, %d links",
		f.Name, megabytes(f.Packed), megabytes(f.Unpacked), f.Files, f.Dirs, f.Links)
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

const fixtureNotes = "fixture.json"

// openFixture makes the archives in dir unless they are there. Whatever of them
// is there is whole, since the notes are written last.
func openFixture(ctx context.Context, dir string) (*fixture, error) {
	f := &fixture{}
	text, err := os.ReadFile(filepath.Join(dir, fixtureNotes))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if f, err = makeFixture(ctx, dir); err != nil {
			return nil, fmt.Errorf("making the archives: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("reading the fixture: %w", err)
	default:
		if err := json.Unmarshal(text, f); err != nil {
			return nil, fmt.Errorf("reading the fixture, delete %q to make it again: %w", dir, err)
		}
	}
	for _, file := range []*fixtureFile{&f.Tar, &f.Zip} {
		file.Path = filepath.Join(dir, file.Name)
		info, err := os.Stat(file.Path)
		if err == nil && info.Size() != file.Packed {
			err = errors.New("it has another size than noted")
		}
		if err != nil {
			return nil, fmt.Errorf("looking at %q, delete %q to make it again: %w", file.Path, dir, err)
		}
		say("%s", file)
	}
	return f, nil
}

func makeFixture(ctx context.Context, dir string) (*fixture, error) {
	say("making the archives in %s, once", dir)
	building := filepath.Join(dir, "building")
	if err := os.RemoveAll(building); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(building, 0o755); err != nil {
		return nil, err
	}
	l := &layout{dir: building}
	if err := l.make(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(building))
	}
	f := &fixture{
		Tar: fixtureFile{Name: "actions-runner-" + platform() + "-" + version + ".tar.gz"},
		Zip: fixtureFile{Name: "actions-runner-win-x64-" + version + ".zip"},
	}
	// As GitHub packs it: one gzip member, level 6, names that begin with "./".
	if err := tool(ctx, "tar", "-czf", filepath.Join(dir, f.Tar.Name), "-C", l.unix(), "."); err != nil {
		return nil, err
	}
	if err := packZip(l.windows(), filepath.Join(dir, f.Zip.Name)); err != nil {
		return nil, err
	}
	err := errors.Join(
		f.Tar.describe(filepath.Join(dir, f.Tar.Name), countTar),
		f.Zip.describe(filepath.Join(dir, f.Zip.Name), countZip),
		os.RemoveAll(building))
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	return f, os.WriteFile(filepath.Join(dir, fixtureNotes), text, 0o644)
}

// platform is how GitHub names this host.
func platform() string {
	if runtime.GOARCH == "arm64" {
		return "linux-arm64"
	}
	return "linux-x64"
}

func (f *fixtureFile) describe(path string, count func(*fixtureFile, *os.File) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if f.Packed, err = io.Copy(sum, file); err != nil {
		return err
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return count(f, file)
}

func countTar(f *fixtureFile, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeReg:
			f.Files++
			f.Unpacked += header.Size
		case tar.TypeDir:
			f.Dirs++
		default:
			f.Links++
		}
	}
}

// tool runs a program of the host that has nothing to say unless it fails.
func tool(ctx context.Context, name string, args ...string) error {
	return toolIn(ctx, "", name, args...)
}

func toolIn(ctx context.Context, dir, name string, args ...string) error {
	printed := &tail{}
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Stdout, c.Stderr = printed, printed
	ownGroup(c)
	if err := c.Run(); err != nil {
		return fmt.Errorf("running %q: %w: %s", strings.Join(append([]string{name}, args...), " "), err, printed)
	}
	return nil
}
