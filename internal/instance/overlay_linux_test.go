package instance

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A registration that an overlay has from below it, as in a container of an image that has a runner, can be replaced and forgotten.
func TestRegistrationBelowAnOverlay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root mounts")
	}
	t.Parallel()
	lower, over := t.TempDir(), t.TempDir()
	const folder = "registration"
	below := KeptFiles{name: "web-1", folder: filepath.Join(lower, folder)}
	if err := below.Keep(map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(over, "m")
	for _, name := range []string{"upper", "work", "m"} {
		if err := os.Mkdir(filepath.Join(over, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := "lowerdir=" + lower + ",upperdir=" + filepath.Join(over, "upper") + ",workdir=" + filepath.Join(over, "work")
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	kept := KeptFiles{name: "web-1", folder: filepath.Join(at, folder)}
	if err := kept.Keep(map[string][]byte{"b": []byte("2")}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(at, folder, "b"))
	if _, gone := os.Lstat(filepath.Join(at, folder, "a")); err != nil || string(text) != "2" || !errors.Is(gone, os.ErrNotExist) {
		t.Errorf("there is %q, %v, and the one before: %v", text, err, gone)
	}
	if err := errors.Join(kept.Drop(), kept.Drop()); err != nil || !kept.dropped() {
		t.Errorf("it was forgotten: %t, %v", kept.dropped(), err)
	}
}
