//go:build unix

package register

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// rooms counts what is left in the folder of rooms.
func rooms(t *testing.T, r Room) int {
	t.Helper()
	names, err := os.ReadDir(r.Folders[0])
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(names)
}

func TestPreparedRoom(t *testing.T) {
	t.Parallel()
	placed := func(r Room) (Room, *atomic.Int32) {
		var times atomic.Int32
		place := r.Place
		r.Place = func(ctx context.Context, dir string) error {
			times.Add(1)
			return place(ctx, dir)
		}
		return r, &times
	}
	t.Run("is used once", func(t *testing.T) {
		t.Parallel()
		r, times := placed(scripted(t, "exit 0", quiet()))
		r = r.Prepare(t.Context())
		for range 2 {
			if err := r.try(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if r.Drop(); times.Load() != 2 || rooms(t, r) != 0 {
			t.Errorf("%d rooms were made for two, and %d are left", times.Load(), rooms(t, r))
		}
	})
	t.Run("is dropped", func(t *testing.T) {
		t.Parallel()
		r, times := placed(scripted(t, "exit 0", quiet()))
		r = r.Prepare(t.Context())
		r.Drop()
		r.Drop()
		if times.Load() != 1 || rooms(t, r) != 0 {
			t.Errorf("%d rooms were made, and %d are left", times.Load(), rooms(t, r))
		}
		if err := r.try(t.Context()); err != nil || times.Load() != 2 || rooms(t, r) != 0 {
			t.Errorf("afterwards: %v, %d rooms were made, and %d are left", err, times.Load(), rooms(t, r))
		}
	})
	t.Run("cannot be made", func(t *testing.T) {
		t.Parallel()
		full := errors.New("the disk is full")
		r := scripted(t, "exit 0", quiet())
		r.Place = func(context.Context, string) error { return full }
		r = r.Prepare(t.Context())
		if err := r.try(t.Context()); !errors.Is(err, full) || !strings.Contains(err.Error(), "testing the runner: copying it from the cache") {
			t.Errorf("it says %v", err)
		}
		if r.Drop(); rooms(t, r) != 0 {
			t.Errorf("%d are left", rooms(t, r))
		}
	})
	t.Run("of what is not prepared", func(*testing.T) { Room{}.Drop() })
}

// A room goes later where its caller has something better to do, but not one in which config.sh has failed.
func TestRoomGoesLater(t *testing.T) {
	t.Parallel()
	var later []func()
	r := scripted(t, "exit 0", quiet())
	r.Later = func(what func()) { later = append(later, what) }
	if err := r.try(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(later) != 1 || rooms(t, r) == 0 {
		t.Fatalf("%d things are to be done, and %d left", len(later), rooms(t, r))
	}
	// Its number is its own until then.
	if err := r.Sweep(t.Context()); err != nil || rooms(t, r) == 0 {
		t.Errorf("it is swept: %v, %d left", err, rooms(t, r))
	}
	if later[0](); rooms(t, r) != 0 {
		t.Errorf("%d are left", rooms(t, r))
	}
	r.Place = func(_ context.Context, dir string) error {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		script(t, dir, "exit 1")
		return nil
	}
	if err := r.try(t.Context()); err == nil || len(later) != 1 || rooms(t, r) != 0 {
		t.Errorf("after a failure, %v: %d things are to be done, and %d left", err, len(later)-1, rooms(t, r))
	}
}

// A certificate that lies behind links is judged by where the kernel goes.
func TestPublicBehindLinks(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, above := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"loop": "loop", "none": "nothing", "dots": "/etc/ssl/..", "deep": "/usr/share", "good": "/etc/passwd", "chain": "./good",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{
		"good": true, "chain": true, "deep/../../etc/passwd": true,
		"loop": false, "none": false, "deep/../none": false, "loop/x": false, "dots": false, ".": false, "..": false,
	} {
		begun := time.Now()
		if got := public(dir + "/" + name); got != want {
			t.Errorf("%s is everybody's: %v, want %v", name, got, want)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s takes %s", name, took)
		}
	}
}
