//go:build unix

package folders

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = errors.Join(root.Mkdir("bin.1", 0o755), root.WriteFile("file", nil, 0o600),
		Link(root, filepath.Join(dir, "bin.1"), "bin"), Link(root, "/nonexistent", ".bin.link"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"bin": true, ".bin.link": true, "bin.1": false, "file": false, "none": false} {
		if IsLink(root, name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
	if err := ReplaceLink(root, ".bin.link", "bin"); err != nil {
		t.Fatal(err)
	}
	if target, err := root.Readlink("bin"); err != nil || target != "/nonexistent" {
		t.Errorf("it leads to %q, %v", target, err)
	}
}
