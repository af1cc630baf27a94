package workspace_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// plant makes files below dir, with their paths as content. A path that ends in a
// slash is a folder.
func plant(t testing.TB, dir string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		full := filepath.Join(dir, path)
		if path[len(path)-1] == '/' {
			check(t, os.MkdirAll(full, 0o755))
			continue
		}
		check(t, os.MkdirAll(filepath.Dir(full), 0o755))
		check(t, os.WriteFile(full, []byte(path), 0o644))
	}
}

// link makes a link to target, and the folders above it.
func link(t testing.TB, target string, names ...string) {
	t.Helper()
	name := filepath.Join(names...)
	check(t, os.MkdirAll(filepath.Dir(name), 0o755))
	err := os.Symlink(target, name)
	if err == nil {
		_, err = os.Lstat(name) // Wine makes none, and says that it has
	}
	if err != nil {
		t.Skipf("links cannot be made here: %v", err)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runner makes a runner's root as an installation and a job leave it.
func runner(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	plant(t, root, "bin/Runner.Listener", "externals/node20/bin/node", ".runner", "_diag/Runner_1.log", "_diag/Worker_1.log",
		"_diag/pages/p.1", "_diag/blocks/b.1", "_work/_temp/a", "_work/_tool/node/20/x64/node", "_work/_actions/o/r/v1/action.yml",
		"_work/_PipelineMapping/o/r/PipelineFolder.json", "_work/repo/repo/.git/config", "_work/repo/repo/main.go", "_work/.hidden/x")
	return root
}

// outside makes a tree that nobody may touch, and checks that in the end.
func outside(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	plant(t, dir, "precious", "folder/precious", "folder/deeper/precious", "pages/precious", "blocks/precious", "_temp/precious",
		"repo/precious", "_work/precious", "_diag/precious")
	age(t, dir, 100*24*time.Hour)
	before := snapshot(t, dir)
	t.Cleanup(func() {
		after := snapshot(t, dir)
		for path, was := range before {
			if is := after[path]; is != was {
				t.Errorf("outside, %q was %q and is %q", path, was, is)
			}
		}
		for path := range after {
			if _, ok := before[path]; !ok {
				t.Errorf("outside, there is a new %q", path)
			}
		}
	})
	return dir
}

// snapshot returns all that is below dir: its modes, times and contents.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var content []byte
		if info.Mode().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		found[path] = fmt.Sprint(info.Mode(), info.ModTime(), string(content))
		return nil
	}))
	return found
}

// age makes everything at and below path look last changed so long ago.
func age(t testing.TB, path string, ago time.Duration) {
	t.Helper()
	when := time.Now().Add(-ago)
	check(t, filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type() == fs.ModeSymlink {
			return err
		}
		return os.Chtimes(path, when, when)
	}))
}

func exists(t testing.TB, path ...string) bool {
	t.Helper()
	_, err := os.Lstat(filepath.Join(path...))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return err == nil
}

// expect compares what is there below root with what should be.
func expect(t testing.TB, root string, there, gone []string) {
	t.Helper()
	for _, name := range there {
		if !exists(t, root, name) {
			t.Errorf("%s is gone", name)
		}
	}
	for _, name := range gone {
		if exists(t, root, name) {
			t.Errorf("%s is still there", name)
		}
	}
}

func names(t testing.TB, path ...string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(path...))
	check(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}
