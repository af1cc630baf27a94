package download

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A cache that an overlay has from below it, as in a container of an image that has a runner already, serves the next one, and can
// be removed: its folders can have no other name there, and its files are others as soon as they get one more.
func TestCacheBelowAnOverlay(t *testing.T) {
	lower := t.TempDir()
	s := newSharingIn(t, lower) // it has a runner, so that each file has two names
	over := t.TempDir()
	for _, name := range []string{"upper", "work", "m"} {
		if err := os.Mkdir(filepath.Join(over, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	at := filepath.Join(over, "m")
	options := "lowerdir=" + lower + ",upperdir=" + filepath.Join(over, "upper") + ",workdir=" + filepath.Join(over, "work")
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	s.fetcher.Cache.Dir, s.runners = filepath.Join(at, "cache"), filepath.Join(at, "runners")
	for _, name := range []string{"web-2", "web-3"} {
		s.place(t, name)
		whole, err := s.fetcher.Renew(s.asset, s.root(name))
		if err != nil || whole == nil {
			t.Fatalf("the runner %s: %v", name, err)
		}
		if right, err := whole(t.Context()); !right || err != nil {
			t.Errorf("the runner %s is right: %t, %v", name, right, err)
		}
	}
	gone, err := s.fetcher.Cache.Prune(0, false)
	if err != nil || len(gone) != 1 {
		t.Errorf("pruned: %v, %v", gone, err)
	}
	if left, err := os.ReadDir(s.fetcher.Cache.Dir); err != nil || len(left) > 0 {
		t.Errorf("the cache has %v, %v", left, err)
	}
}
