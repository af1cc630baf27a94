package inuse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// hold opens a file as another program does that lets nobody rename or remove it, and returns what lets it go.
func hold(t *testing.T, path string) (letGo func()) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	handle, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	held := true
	letGo = func() {
		if held {
			held = false
			if err := windows.CloseHandle(handle); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(letGo)
	return letGo
}

// holdFor is hold for a while.
func holdFor(t *testing.T, path string, while time.Duration) {
	t.Helper()
	letGo := hold(t, path)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-time.After(while)
		letGo()
	}()
	t.Cleanup(func() { <-ended })
}

func plant(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// operations are what this package does to the file called "file" in a folder, in which there is "other" as well.
func operations(folder *os.Root) map[string]func() error {
	path := func(name string) string { return filepath.Join(folder.Name(), name) }
	closed := func(file *os.File, err error) error {
		if err != nil {
			return err
		}
		return file.Close()
	}
	return map[string]func() error{
		"rename":       func() error { return Rename(path("file"), path("new")) },
		"rename over":  func() error { return Rename(path("other"), path("file")) },
		"rename away":  func() error { return Rename(path("file"), path("below/new")) },
		"rename in":    func() error { return RenameIn(folder, "file", "new") },
		"replace in":   func() error { return RenameIn(folder, "other", "file") },
		"remove":       func() error { return Remove(path("file")) },
		"remove in":    func() error { return RemoveIn(folder, "file") },
		"open":         func() error { return closed(Open(path("file"), os.O_RDWR|os.O_CREATE, 0o600)) },
		"open in":      func() error { return closed(OpenIn(folder, "file", os.O_RDWR, 0)) },
		"open to read": func() error { return closed(Open(path("file"), os.O_RDONLY, 0)) },
	}
}

func stage(t *testing.T) *os.Root {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a pläce 置")
	if err := os.MkdirAll(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	plant(t, filepath.Join(dir, "file"))
	plant(t, filepath.Join(dir, "other"))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// A virus scanner has a file open for a second.
func TestHeldForASecond(t *testing.T) {
	t.Parallel()
	for what := range operations(nil) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			folder := stage(t)
			holdFor(t, filepath.Join(folder.Name(), "file"), time.Second)
			if err := operations(folder)[what](); err != nil {
				t.Error(err)
			}
		})
	}
}

// A program never lets go of a file.
func TestHeldForEver(t *testing.T) {
	t.Parallel()
	for what := range operations(nil) {
		if what == "open to read" {
			continue // which is allowed
		}
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			folder := stage(t)
			letGo := hold(t, filepath.Join(folder.Name(), "file"))
			began := time.Now()
			err := operations(folder)[what]()
			if waited := time.Since(began); err == nil || waited < one || waited > one+3*time.Second {
				t.Errorf("after %s: %v", waited, err)
			}
			// What another file's rename fails for is "access denied", of which nothing is known without the Restart Manager.
			replaced := what == "rename over" || what == "replace in"
			if !errors.Is(err, ErrOpen) && (!replaced || !errors.Is(err, fs.ErrPermission)) {
				t.Errorf("it does not say that another program has the file open: %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), "file") || !replaced && !strings.Contains(err.Error(), "another program has it open")) {
				t.Errorf("it is told as %v", err)
			}
			letGo()
			if err := operations(folder)[what](); err != nil {
				t.Errorf("when it was let go: %v", err)
			}
		})
	}
}

// Many files that are held do not keep anyone for minutes.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var paths []string
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprint(i))
		plant(t, path)
		hold(t, path)
		paths = append(paths, path)
	}
	var patience Patience
	began := time.Now()
	for _, path := range paths {
		if err := patience.Try(here(path), func() error { return os.Remove(path) }); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if waited := time.Since(began); waited < all || waited > all+5*time.Second {
		t.Errorf("it took %s", waited)
	}
}

// One who reads a file by this package is in nobody's way, and reads what it opened.
func TestReadersAreInNobodysWay(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(path string) error{
		"replaced": func(path string) error { return Rename(path+".new", path) },
		"removed":  Remove,
		"renamed":  func(path string) error { return Rename(path, path+".old") },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			plant(t, path)
			plant(t, path+".new")
			reader, err := Open(path, os.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			began := time.Now()
			if err := change(path); err != nil || time.Since(began) > one/2 {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
			text := make([]byte, 10)
			if n, err := reader.Read(text); string(text[:n]) != "content" {
				t.Errorf("it reads %q, %v", text[:n], err)
			}
		})
	}
}

// What fails for another reason fails at once, and says so.
func TestOtherRefusals(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing", "file")
	began := time.Now()
	_, err := Open(missing, os.O_RDONLY, 0)
	for _, err := range []error{err, Remove(missing), Rename(missing, missing+".new")} {
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrOpen) {
			t.Error(err)
		}
	}
	if waited := time.Since(began); waited > one/2 {
		t.Errorf("it took %s", waited)
	}
}

// Open makes, empties and refuses as package os does.
func TestOpen(t *testing.T) {
	t.Parallel()
	long := t.TempDir()
	for len(long) < 400 {
		long = filepath.Join(long, strings.Repeat("ö 置", 10))
	}
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(long, "file")
	write := func(flag int, text string) error {
		file, err := Open(path, os.O_WRONLY|flag, 0o600)
		if err != nil {
			return err
		}
		_, err = file.WriteString(text)
		return errors.Join(err, file.Close())
	}
	if err := write(0, "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	if err := write(os.O_CREATE, "first"); err != nil {
		t.Fatal(err)
	}
	if err := write(os.O_CREATE|os.O_EXCL, "second"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("one that is there: %v", err)
	}
	if err := write(os.O_TRUNC, "2"); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); string(text) != "2" {
		t.Errorf("it holds %q, %v", text, err)
	}
	if err := Rename(path, path+".new"); err != nil {
		t.Error(err)
	}
	if err := Remove(path + ".new"); err != nil {
		t.Error(err)
	}
}
