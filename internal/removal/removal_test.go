package removal_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plant makes files below dir, with their paths as content. A path that ends in a slash is a folder.
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

// expect compares what is there below dir with what should be.
func expect(t testing.TB, dir string, there, gone []string) {
	t.Helper()
	for _, name := range there {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
	}
	for _, name := range gone {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

func opened(t testing.TB, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

func TestTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/a/b/c", "tree/a/d", "tree/e/", "file", "beside/x", "outside/precious")
	if os.Symlink("../outside", filepath.Join(dir, "tree/a/link")) == nil {
		check(t, os.Symlink("outside", filepath.Join(dir, "link")))
		check(t, removal.Tree(opened(t, dir), "link"))
	}
	parent := opened(t, dir)
	for range 2 {
		for _, name := range []string{"tree", "file", "missing"} {
			check(t, removal.Tree(parent, name))
		}
	}
	expect(t, dir, []string{"beside/x", "outside/precious"}, []string{"tree", "file", "link"})
	for _, name := range []string{"", ".", "..", "beside/x", "../" + filepath.Base(dir)} {
		if err := removal.Tree(parent, name); err == nil {
			t.Errorf("%q was taken for a name", name)
		}
	}
	expect(t, dir, []string{"beside/x", "outside/precious"}, nil)
}

func TestInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/a/b/c", "tree/d", "tree/e/")
	check(t, removal.Inside(opened(t, filepath.Join(dir, "tree"))))
	expect(t, dir, []string{"tree"}, []string{"tree/a", "tree/d", "tree/e"})
}

func TestExcept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/kept/gone/x", "tree/gone/kept/x", "tree/file")
	check(t, removal.Except(opened(t, filepath.Join(dir, "tree")), func(name string) bool { return name == "kept" }))
	expect(t, dir, []string{"tree/kept/gone/x"}, []string{"tree/gone", "tree/file"})
}

func TestPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/a/b", "beside")
	for range 2 {
		check(t, removal.Path(filepath.Join(dir, "tree")))
	}
	check(t, removal.Path(filepath.Join(dir, "missing/too")))
	expect(t, dir, []string{"beside"}, []string{"tree"})
}

func TestCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "tree/a/b", "tree/c", "other/x")
	var freed removal.Freed
	gone, err := removal.Counted(t.Context(), opened(t, dir), "tree", "", &freed)
	if !gone || err != nil || freed.Files != 2 || freed.Bytes < 1 {
		t.Errorf("gone %v, %v, freed %+v", gone, err, freed)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if gone, err = removal.Counted(ended, opened(t, dir), "other", "", &freed); gone || err != nil {
		t.Errorf("when the context has ended: gone %v, %v", gone, err)
	}
	expect(t, dir, []string{"other/x"}, nil)
}

// TestDeep: the names of folders must not add up to a path, nor the folders to open files.
func TestDeep(t *testing.T) {
	t.Parallel()
	deep := 20_000
	if testing.Short() {
		deep = 5000
		if runtime.GOOS == "windows" {
			deep = 1000 // Wine needs a path of all folders for each
		}
	}
	dir := t.TempDir()
	plant(t, dir, "tree/")
	nest(t, filepath.Join(dir, "tree"), deep)
	plant(t, dir, "tree/beside/x")
	start := time.Now()
	check(t, removal.Tree(opened(t, dir), "tree"))
	t.Logf("%d nested folders were removed in %v", deep, time.Since(start))
	expect(t, dir, nil, []string{"tree"})
}

// nest makes so many folders, each in the one before, with a file in some. It builds from the inside, since no path is
// that long.
func nest(t testing.TB, dir string, deep int) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	defer root.Close() // before it is removed, as Windows wants it
	for i := range deep {
		here, above := fmt.Sprint("in", i%2), fmt.Sprint("in", (i+1)%2)
		check(t, root.MkdirAll(here, 0o755))
		if i%1000 == 0 {
			check(t, root.WriteFile(filepath.Join(here, "file"), nil, 0o644))
		}
		check(t, root.Mkdir(above, 0o755))
		check(t, root.Rename(here, filepath.Join(above, "n")))
	}
}

// TestManyFiles: what is listed is not kept.
func TestManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 60,000 files")
	}
	const files, bound = 60_000, 8 << 20
	dir := t.TempDir()
	plant(t, dir, "tree/first")
	for i := range files {
		if os.Link(filepath.Join(dir, "tree/first"), filepath.Join(dir, "tree", fmt.Sprintf("another-name-of-the-first-file-%d", i))) != nil {
			plant(t, dir, fmt.Sprintf("tree/%d", i))
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	check(t, removal.Tree(opened(t, dir), "tree"))
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > bound {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	expect(t, dir, nil, []string{"tree"})
}

func TestProblems(t *testing.T) {
	t.Parallel()
	var none removal.Problems
	none.Add(nil)
	if err := none.Err(); err != nil {
		t.Errorf("none is %v", err)
	}
	var one, all removal.Problems
	one.Add(folders.ErrNotFolder)
	if err := one.Err(); err != folders.ErrNotFolder { //nolint:errorlint // the very same
		t.Errorf("one is %v", err)
	}
	for i := range 15 {
		all.Add(&removal.MountedError{Points: []string{fmt.Sprint("/mnt/", i)}})
		all.Add(fmt.Errorf("%w: number %d", fs.ErrPermission, i))
	}
	var again removal.Problems
	again.Add(all.Err())
	err := again.Err()
	var mounted *removal.MountedError
	if !errors.As(err, &mounted) || len(mounted.Points) != 10 || mounted.More != 5 || !errors.Is(err, removal.ErrMounted) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("15 and 15 are %v", err)
	}
	want := `leaving what is mounted at "/mnt/0", "/mnt/1", "/mnt/2", "/mnt/3", "/mnt/4", "/mnt/5", "/mnt/6", "/mnt/7", "/mnt/8", "/mnt/9", 5 more`
	if mounted != nil && mounted.Error() != want {
		t.Errorf("the places are told as\n%s, want\n%s", mounted, want)
	}
}
