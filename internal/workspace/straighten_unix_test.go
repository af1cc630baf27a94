//go:build unix

package workspace_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// TestStraighten: what the account itself has spoilt goes, and nothing else does.
func TestStraighten(t *testing.T) {
	t.Parallel()
	me, own := os.Getuid(), t.TempDir()
	link := func(target string) func(string) error {
		return func(path string) error { return os.Symlink(target, path) }
	}
	file := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	folder := func(path string) error { return os.MkdirAll(filepath.Join(path, "deep"), 0o700) }
	nothing := func(string) error { return nil }
	for name, c := range map[string]struct {
		work string
		uid  int
		make func(string) error
		goes bool
	}{
		"a file":                           {"_work", me, file, true},
		"a link to nowhere":                {"", me, link("/nowhere"), true},
		"a link to a file":                 {"_work", me, link("/etc/passwd"), true},
		"a link to a folder of its own":    {"_work/deep", me, link(own), false},
		"a folder":                         {"_work", me, folder, false},
		"nothing":                          {"_work", me, nothing, false},
		"an administrator's link":          {"_work", me + 1, link("/nowhere"), false},
		"a work folder that is elsewhere":  {own, me, link("/nowhere"), false},
		"a part of a folder that is given": {"_work/a/b", me, link("/nowhere"), true},
	} {
		root := t.TempDir()
		if err := c.make(filepath.Join(root, "_work")); err != nil {
			t.Fatal(err)
		}
		removed, err := workspace.Straighten(root, c.work, c.uid)
		_, left := os.Lstat(filepath.Join(root, "_work"))
		if err != nil || slices.Contains(removed, "_work") != c.goes || (left == nil) == (c.goes || name == "nothing") {
			t.Errorf("%s: removed %q, %v; left: %v", name, removed, err, left)
		}
	}
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Error(err)
	}
}
