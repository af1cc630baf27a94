//go:build unix

package openfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// soon fails a test whose opening waits.
func soon(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: it is waited for", what)
	}
}

func TestWhatIsOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(in("file"), []byte("12345"), 0o600), os.Mkdir(in("folder"), 0o700), unix.Mkfifo(in("pipe"), 0o600),
		os.Symlink("file", in("link")), os.Symlink("pipe", in("to-pipe")), os.Symlink("/dev/null", in("to-device")), os.Symlink("none", in("dangling")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mknod(in("socket"), unix.S_IFSOCK|0o600, 0); err != nil {
		t.Fatal(err)
	}
	folder, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	large := &LargeError{}
	for name, c := range map[string]struct {
		path                string
		read, itself, below error
	}{
		"a file":              {in("file"), nil, nil, nil},
		"a folder":            {in("folder"), ErrNotRegular, ErrNotRegular, ErrNotRegular},
		"a pipe":              {in("pipe"), ErrNotRegular, ErrNotRegular, ErrNotRegular},
		"a link":              {in("link"), nil, fs.ErrInvalid, nil},
		"a link to a pipe":    {in("to-pipe"), ErrNotRegular, fs.ErrInvalid, ErrNotRegular},
		"a link to a device":  {in("to-device"), ErrNotRegular, fs.ErrInvalid, fs.ErrInvalid},
		"a link to nothing":   {in("dangling"), fs.ErrNotExist, fs.ErrInvalid, fs.ErrNotExist},
		"nothing":             {in("none"), fs.ErrNotExist, fs.ErrNotExist, fs.ErrNotExist},
		"a device":            {"/dev/null", ErrNotRegular, ErrNotRegular, nil},
		"a socket":            {in("socket"), ErrNotRegular, ErrNotRegular, fs.ErrInvalid},
		"a file as a folder":  {in("file/x"), unix.ENOTDIR, unix.ENOTDIR, unix.ENOTDIR},
		"a process's own one": {"/proc/self/none", fs.ErrNotExist, fs.ErrNotExist, nil},
	} {
		soon(t, name, func() {
			text, err := Read(c.path, 5)
			expect(t, name, text, err, c.read)
			text, err = ReadItself(c.path, 5)
			expect(t, name+", itself", text, err, c.itself)
			if below, err := filepath.Rel(dir, c.path); err == nil && filepath.IsLocal(below) {
				text, err = ReadIn(folder, below, 5)
				expect(t, name+", below", text, err, c.below)
			}
		})
	}
	if _, err := Read(in("file"), 4); !errors.As(err, &large) || large.Limit != 4 || !strings.HasSuffix(err.Error(), "it has more than 4 bytes") {
		t.Errorf("a large file: %v", err)
	}
	if _, err := ReadIn(folder, "file", 4); !errors.As(err, &large) {
		t.Errorf("a large file below: %v", err)
	}
}

// expect wants the file's content, or an error. One that is invalid may have any cause but
// that something was opened.
func expect(t *testing.T, what string, text []byte, err, want error) {
	t.Helper()
	switch {
	case want == nil && (err != nil || string(text) != "12345"):
		t.Errorf("%s: %q, %v", what, text, err)
	case errors.Is(want, fs.ErrInvalid) && err == nil:
		t.Errorf("%s: %q was read", what, text)
	case want != nil && !errors.Is(want, fs.ErrInvalid) && !errors.Is(err, want):
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestReadWithoutRights(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 1); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestReadStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		// It is opened when somebody reads.
		if err := os.WriteFile(pipe, []byte("12345"), 0o600); err != nil {
			t.Error(err)
		}
	}()
	if text, err := ReadStream(t.Context(), pipe, 5); err != nil || string(text) != "12345" {
		t.Errorf("%q, %v", text, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	soon(t, "a pipe without a writer", func() {
		if _, err := ReadStream(ctx, pipe, 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a writer: %v", err)
		}
	})
	// The reader that was left there ends with a writer.
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Error(err)
	}
	large := &LargeError{}
	if _, err := ReadStream(t.Context(), "/dev/zero", 5); !errors.As(err, &large) {
		t.Errorf("without an end: %v", err)
	}
	if _, err := ReadStream(t.Context(), dir, 5); !errors.Is(err, unix.EISDIR) {
		t.Errorf("a folder: %v", err)
	}
}
