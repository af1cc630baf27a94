//go:build unix

package workspace_test

import (
	"io/fs"
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

// TestStraightenLetsIn: a job that has taken its own folders from itself has not taken them from the next listener.
func TestStraightenLetsIn(t *testing.T) {
	t.Parallel()
	me := os.Getuid()
	for _, mode := range []fs.FileMode{0, 0o300, 0o500, 0o055} {
		root, above, out := runner(t), filepath.Join(t.TempDir(), "given"), t.TempDir()
		work := filepath.Join(above, "w")
		plant(t, above, "w/")
		plant(t, root, "_work/deep/er/")
		link(t, out, root, "_work/link")
		within := []string{"_diag/pages", "_diag/blocks", "_diag", "_work/deep/er", "_work/deep", "_work"}
		for _, name := range within {
			check(t, os.Chmod(filepath.Join(root, name), mode))
		}
		check(t, os.Chmod(work, mode))
		check(t, os.Chmod(above, mode))
		check(t, os.Chmod(out, mode))
		if me == 0 {
			if removed, err := workspace.Straighten(root, work, 1); err != nil || len(removed) > 0 {
				t.Errorf("of another's: %q, %v", removed, err)
			}
			if info, err := os.Lstat(work); err != nil || info.Mode().Perm() != mode {
				t.Errorf("a folder of another's has %v, %v", info.Mode(), err)
			}
		}
		for _, given := range []string{"", work, "_work/deep/er", "_work/link"} {
			if removed, err := workspace.Straighten(root, given, me); err != nil || len(removed) > 0 {
				t.Errorf("with the work folder %q: removed %q, %v", given, removed, err)
			}
		}
		for _, name := range append(within, above, work) {
			path := name
			if !filepath.IsAbs(name) {
				path = filepath.Join(root, name)
			}
			if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != mode|0o700 {
				t.Errorf("%s, which had %v, has %v, %v", name, mode, info.Mode(), err)
			}
		}
		if info, err := os.Lstat(out); err != nil || info.Mode().Perm() != mode {
			t.Errorf("the folder behind a link had %v and has %v, %v", mode, info.Mode(), err)
		}
		check(t, os.Chmod(out, 0o700))
	}
}
