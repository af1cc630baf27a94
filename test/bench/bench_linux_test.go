package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	u, err := measure(t.Context(), t.TempDir(), []string{"sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done & wait; sleep 0.3"})
	if err != nil {
		t.Fatal(err)
	}
	if u.Wall < 0.3 || u.CPU <= 0.005 || u.CPU > u.Wall || u.RSS < 1<<20 || u.RSS > 1<<30 {
		t.Errorf("a shell that counts in a child and then sleeps for 0.3 s used %+v", u)
	}
}

func TestMeasureTellsWhatFailed(t *testing.T) {
	t.Parallel()
	_, err := measure(t.Context(), t.TempDir(), []string{"sh", "-c", "echo the reason >&2; exit 3"})
	if err == nil || !strings.Contains(err.Error(), "the reason") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a command that failed gives %v, want its status and its words", err)
	}
}

// holder is a shell's words for a child that says "up" and then lives on, and a
// function that waits until it says so, and one that waits for its end.
func holder(t *testing.T) (words string, up, gone func()) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var read *os.File
	up = func() {
		t.Helper()
		var err error
		if read, err = os.Open(fifo); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(read, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
	}
	gone = func() {
		t.Helper()
		defer read.Close()
		if err := read.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := read.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("what the command started lives on (%d, %v)", n, err)
		}
	}
	// Its standard error is not ours to keep open, and 30 s bound a test that fails.
	return "(echo up; exec sleep 30) >" + fifo + " 2>/dev/null & ", up, gone
}

func TestMeasureEndsAll(t *testing.T) {
	t.Parallel()
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		words, up, gone := holder(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := measure(ctx, t.TempDir(), []string{"sh", "-c", words + "wait"})
			ended <- err
		}()
		up()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupted command gives %v", err)
		}
		gone()
	})
	t.Run("left by its parent", func(t *testing.T) {
		t.Parallel()
		words, up, gone := holder(t)
		leave := filepath.Join(t.TempDir(), "leave")
		if err := unix.Mkfifo(leave, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := measure(ctx, t.TempDir(), []string{"sh", "-c", words + "read -r _ <" + leave})
			ended <- err
		}()
		up()
		if err := os.WriteFile(leave, []byte("now\n"), 0o600); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("a command that leaves a child gives %v", err)
		}
		gone()
	})
	t.Run("its caller is killed", func(t *testing.T) {
		t.Parallel()
		words, up, gone := holder(t)
		c := exec.CommandContext(t.Context(), os.Args[0], "measure", "sh", "-c", words+"wait")
		ownGroup(c)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		up()
		in.Close() // as the end of this process would
		gone()
		_ = c.Cancel()
		_ = c.Wait() // it was killed
	})
}

func TestServerIsAProcessThatEnds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.Context(), file, allLinks()[1])
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := get(t, "http://"+s.address+"/archive", "", 200); string(got) != "content" {
		t.Errorf("the server sends %q", got)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if !s.command.ProcessState.Success() {
		t.Errorf("the server ended with %s", s.command.ProcessState)
	}
}

// TestWork makes file systems, or directories where it may not.
func TestWork(t *testing.T) {
	t.Parallel()
	fixture := t.TempDir()
	w, err := openWork(t.Context(), options{fixture: fixture, tmpfs: true})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := openWork(t.Context(), options{fixture: fixture, tmpfs: true}); err == nil {
		t.Errorf("a second benchmark works in %q as well", second.dir)
	}
	if os.Geteuid() != 0 && w.plain == "" {
		t.Error("an ordinary user has mounted a file system")
	}
	failure := errors.New("a failure")
	for range 2 {
		err := w.fresh(t.Context(), func(dir string) error {
			if files, err := os.ReadDir(dir); len(files) > 0 || err != nil {
				t.Errorf("it begins with %v (%v)", files, err)
			}
			mounts, err := mountsBelow(w.dir)
			if want := w.plain == ""; err != nil || want != (len(mounts) == 1 && mounts[0] == dir) {
				t.Errorf("mounted are %q (%v)", mounts, err)
			}
			return errors.Join(os.WriteFile(filepath.Join(dir, "left"), nil, 0o600), failure)
		})
		if !errors.Is(err, failure) {
			t.Errorf("the failure came out as %v", err)
		}
		if mounts, err := mountsBelow(w.dir); len(mounts) > 0 || err != nil {
			t.Errorf("mounted are %q (%v) after a failure", mounts, err)
		}
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q is left: %v", w.dir, err)
	}
}

func TestWorkOnXFS(t *testing.T) {
	t.Parallel()
	w, err := openWork(t.Context(), options{fixture: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	if reason := w.lacks(t.Context(), xfs); reason != "" {
		t.Skip(reason)
	}
	for place, want := range map[*work]int64{w.on(xfs): unix.XFS_SUPER_MAGIC, w: unix.EXT4_SUPER_MAGIC} {
		err := place.fresh(t.Context(), func(dir string) error {
			var status unix.Statfs_t
			err := unix.Statfs(dir, &status)
			if got := int64(status.Type); got != want { //nolint:unconvert // 32 bits wide on 32-bit systems
				t.Errorf("a file system of the kind %#x, want %#x", got, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if w.on(tmpfs).lacks(t.Context(), xfs) == "" {
		t.Error("in memory there is XFS too")
	}
}

// TestWorkCleansUpAfterAKilledOne mounts what such a one leaves.
func TestWorkCleansUpAfterAKilledOne(t *testing.T) {
	t.Parallel()
	fixture := t.TempDir()
	left := filepath.Join(fixture, "work", "volume")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mountVolume(t.Context(), left, "", tmpfs); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	w, err := openWork(t.Context(), options{fixture: fixture, tmpfs: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if mounts, err := mountsBelow(fixture); len(mounts) > 0 || err != nil {
		t.Errorf("mounted are %q (%v)", mounts, err)
	}
}
