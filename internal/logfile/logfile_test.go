package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines writes numbered lines of ten bytes.
func lines(t *testing.T, w *Writer, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := fmt.Fprintf(w, "line %04d\n", i); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, path string) *Writer {
	t.Helper()
	w, err := Open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A log goes on where it was, in files of a bounded size, of which the oldest goes.
func TestWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "logs", "a.log")
	w := open(t, path)
	lines(t, w, 0, 35)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, path)
	lines(t, w, 35, 78)
	defer w.Close()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Size() > 100 {
			t.Errorf("%s has %d bytes, %v", entry.Name(), info.Size(), err)
		}
		names = append(names, entry.Name())
	}
	if want := []string{"a.log", "a.log.1", "a.log.2", "a.log.3", "a.log.4"}; !slices.Equal(names, want) {
		t.Errorf("files %q", names)
	}
	var all bytes.Buffer
	if err := Show(t.Context(), path, &all, false); err != nil {
		t.Fatal(err)
	}
	if got := all.String(); !strings.HasPrefix(got, "line 0030\n") || !strings.HasSuffix(got, "line 0077\n") || strings.Count(got, "\n") != 48 {
		t.Errorf("all of it is %q", got)
	}
	if got, err := Tail(path, 2); err != nil || !slices.Equal(got, []string{"line 0076", "line 0077"}) {
		t.Errorf("the end is %q, %v", got, err)
	}
}

func TestNoLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.log")
	var out bytes.Buffer
	if err := Show(t.Context(), path, &out, false); err != nil || out.Len() > 0 {
		t.Errorf("shown: %q, %v", out.String(), err)
	}
	if got, err := Tail(path, 5); err != nil || len(got) > 0 {
		t.Errorf("the end is %q, %v", got, err)
	}
	if err := Remove(path); err != nil {
		t.Error(err)
	}
}

// Where the older files cannot make room, as another program has one open, the log goes on and nothing is lost. When they can,
// again, all is as ever.
func TestTurnRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	w := open(t, path)
	defer w.Close()
	lines(t, w, 0, 31) // three older ones, and the log
	// A folder with something in it is replaced by no file, as a file that is open is by none on Windows.
	if err := os.MkdirAll(filepath.Join(path+".4", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		w.again = time.Time{} // as if that was long ago
		lines(t, w, 31+10*i, 41+10*i)
		if w.again.IsZero() {
			t.Error("the next file is tried to be begun with each line")
		}
	}
	if err := os.RemoveAll(path + ".4"); err != nil {
		t.Fatal(err)
	}
	shows(t, path, 0, 61)
	w.again = time.Time{}
	lines(t, w, 61, 62)
	shows(t, path, 10, 62) // the oldest is one too many now
	if _, err := os.Lstat(path + ".0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was put aside is still there: %v", err)
	}
}

// shows is for a log that has these lines, each once and in their order.
func shows(t *testing.T, path string, from, to int) {
	t.Helper()
	var all, want bytes.Buffer
	if err := Show(t.Context(), path, &all, false); err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		fmt.Fprintf(&want, "line %04d\n", i)
	}
	if all.String() != want.String() {
		t.Errorf("it has %q, and is to have lines %d to %d", all.String(), from, to-1)
	}
}

// shown is what somebody who follows has seen.
type shown struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shown) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Who follows a log sees each line once, over the beginning of the next file.
func TestFollow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	w := open(t, path)
	lines(t, w, 0, 5)
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := &shown{}, make(chan error, 1)
	go func() { ended <- Show(ctx, path, out, true) }()
	sees := func(last string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !strings.HasSuffix(out.String(), last+"\n"); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it shows %q, want %s", out.String(), last)
			}
		}
	}
	sees("line 0004")
	lines(t, w, 5, 8)
	sees("line 0007")
	lines(t, w, 8, 10)
	sees("line 0009")
	lines(t, w, 10, 12)
	sees("line 0011")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 12 {
		t.Errorf("it has shown %d lines", got)
	}
	if err := errors.Join(w.Close(), Remove(path)); err != nil {
		t.Error(err)
	}
}
