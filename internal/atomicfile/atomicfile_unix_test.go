//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// both runs a test for a file of the host and for one in a root.
func both(t *testing.T, do func(t *testing.T, dir string, write func(name, content string, o Options) error)) {
	t.Helper()
	t.Run("host", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		do(t, dir, func(name, content string, o Options) error {
			return Write(filepath.Join(dir, name), []byte(content), o)
		})
	})
	t.Run("root", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		do(t, dir, func(name, content string, o Options) error { return WriteIn(root, name, []byte(content), o) })
	})
}

// holds asserts what the folder has: names with their content.
func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if _, expected := want[entry.Name()]; !expected {
			t.Errorf("%q is left", entry.Name())
		}
	}
	for name, content := range want {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != content {
			t.Errorf("%s holds %q, %v, want %q", name, text, err, content)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, dir string, write func(name, content string, o Options) error) {
		for _, c := range []struct {
			content string
			options Options
			mode    fs.FileMode
		}{
			{"one", Options{}, 0o600},
			{"two", Options{Mode: 0o644, Durable: true}, 0o644},
			{"", Options{Mode: 0o600}, 0o600},
			{strings.Repeat("three", 1<<16), Options{Mode: 0o444}, 0o444},
			{"four", Options{Mode: 0o640}, 0o640}, // over one that cannot be written
		} {
			if err := write("a", c.content, c.options); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, map[string]string{"a": c.content})
			if info, err := os.Lstat(filepath.Join(dir, "a")); err != nil || info.Mode() != c.mode {
				t.Errorf("its mode is %v, %v, want %v", info.Mode(), err, c.mode)
			}
		}
	})
}

func TestWriteReplacesTheLinkAndNotItsTarget(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, dir string, write func(name, content string, o Options) error) {
		outside := filepath.Join(t.TempDir(), "outside")
		err := errors.Join(os.WriteFile(outside, []byte("mine"), 0o600), os.Symlink(outside, filepath.Join(dir, "a")))
		if err == nil {
			err = write("a", "new", Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
		holds(t, dir, map[string]string{"a": "new"})
		holds(t, filepath.Dir(outside), map[string]string{"outside": "mine"})
	})
}

func TestFailedWriteLeavesEverything(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, dir string, write func(name, content string, o Options) error) {
		if err := write("a", "old", Options{}); err != nil {
			t.Fatal(err)
		}
		given := errors.New("nobody wants it")
		var part string
		err := write("a", "new", Options{Give: func(file *os.File) error { part = filepath.Base(file.Name()); return given }})
		if !IsPart(part, "a") || !IsPart(part, "/elsewhere/a") || IsPart(part, "b") || IsPart("a", "a") || IsPart(".a.b.x.tmp", "a") {
			t.Errorf("the part file is called %q", part)
		}
		if !errors.Is(err, given) || !strings.Contains(err.Error(), `replacing "`) {
			t.Errorf("%v", err)
		}
		holds(t, dir, map[string]string{"a": "old"})
		// What cannot be renamed over.
		if err := os.MkdirAll(filepath.Join(dir, "b", "c"), 0o700); err != nil {
			t.Fatal(err)
		}
		err = write("b", "new", Options{})
		if !errors.Is(err, syscall.EEXIST) && !errors.Is(err, syscall.EISDIR) && !errors.Is(err, syscall.ENOTEMPTY) {
			t.Errorf("over a folder: %v", err)
		}
		if strings.Contains(err.Error(), ".b.") {
			t.Errorf("the message names the part file: %v", err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "b")); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, map[string]string{"a": "old"})
		if err := write("none/a", "new", Options{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without a folder: %v", err)
		}
	})
}

// A folder that a job may change while we write into it.
func TestWriteInStaysInItsRoot(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.Symlink(outside, filepath.Join(dir, "way")); err != nil {
		t.Fatal(err)
	}
	if err := WriteIn(root, "way/a", []byte("x"), Options{}); err == nil {
		t.Error("it was written through a link")
	}
	holds(t, outside, nil)
}

func TestReadersFindTheOldOrTheNew(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "a")
	contents := []string{strings.Repeat("a", 1<<16), strings.Repeat("b", 1<<17)}
	if err := Write(name, []byte(contents[0]), Options{}); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 2 {
		writers.Go(func() {
			for n := range 50 {
				if err := Write(name, []byte(contents[(n+i)%2]), Options{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { writers.Wait(); close(ended) }()
	for done := false; !done; {
		select {
		case <-ended:
			done = true
		default:
		}
		if text, err := os.ReadFile(name); err != nil || string(text) != contents[0] && string(text) != contents[1] {
			t.Fatalf("a reader found %d bytes, %v", len(text), err)
		}
	}
}
