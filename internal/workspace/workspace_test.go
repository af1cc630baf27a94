package workspace_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

func TestEmpty(t *testing.T) {
	t.Parallel()
	for _, work := range []string{"", "_work", "_work/", "./_work", "absolute", "outside"} {
		t.Run("work="+work, func(t *testing.T) {
			t.Parallel()
			root := runner(t)
			folder := filepath.Join(root, "_work")
			switch work {
			case "absolute":
				work = folder
			case "outside":
				elsewhere := filepath.Join(t.TempDir(), "elsewhere")
				check(t, os.Rename(folder, elsewhere))
				folder, work = elsewhere, elsewhere
			}
			check(t, os.Chmod(folder, 0o751))
			before, err := os.Lstat(folder)
			check(t, err)
			for range 2 {
				check(t, workspace.Empty(root, work, -1))
			}
			if left := names(t, folder); len(left) > 0 {
				t.Errorf("the work folder still has %q", left)
			}
			after, err := os.Lstat(folder)
			check(t, err)
			if !os.SameFile(before, after) || before.Mode() != after.Mode() {
				t.Errorf("the work folder was %v and is %v, or another one", before.Mode(), after.Mode())
			}
			expect(t, root, []string{"bin/Runner.Listener", "externals/node20/bin/node", ".runner", "_diag/Runner_1.log", "_diag/Worker_1.log"},
				[]string{"_diag/pages/p.1", "_diag/blocks/b.1"})
		})
	}
}

func TestEmptyOfNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, where := range []string{root, filepath.Join(root, "missing")} {
		for _, work := range []string{"", "a/b", filepath.Join(root, "missing", "too"), "../missing"} {
			if err := workspace.Empty(where, work, -1); err != nil {
				t.Errorf("Empty(%q, %q): %v", where, work, err)
			}
		}
	}
}

func TestEmptyAbsoluteWorkWithoutRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "work/left")
	check(t, workspace.Empty(filepath.Join(dir, "missing"), filepath.Join(dir, "work"), -1))
	expect(t, dir, []string{"work"}, []string{"work/left"})
}

func TestEmptySparesTheRunner(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	root := filepath.Join(above, "runner")
	plant(t, root, "bin/Runner.Listener", "_work/x")
	for _, work := range []string{".", "./", "..", "../", "../runner", root, above, "_work/.."} {
		if err := workspace.Empty(root, work, -1); !errors.Is(err, workspace.ErrContainsRunner) {
			t.Errorf("Empty with the work folder %q: %v, want %v", work, err, workspace.ErrContainsRunner)
		}
	}
	expect(t, root, []string{"bin/Runner.Listener", "_work/x"}, nil)
}

func TestEmptyManyFiles(t *testing.T) {
	t.Parallel()
	files := 20_000
	if testing.Short() {
		files = 5000
	}
	root := t.TempDir()
	many(t, filepath.Join(root, "_work"), files)
	check(t, workspace.Empty(root, "", -1))
	if left := names(t, root, "_work"); len(left) > 0 {
		t.Errorf("%d names are left, such as %q", len(left), left[0])
	}
}

// many makes names, 4,000 in a folder. Most are links to the first file in it, since
// files take some systems long to make.
func many(t testing.TB, dir string, files int) {
	t.Helper()
	var first string
	for i := range files {
		name := filepath.Join(dir, fmt.Sprint(i/4000), fmt.Sprint(i))
		if i%4000 == 0 {
			plant(t, dir, fmt.Sprintf("%d/%d", i/4000, i))
			first = name
		} else {
			check(t, os.Link(first, name))
		}
	}
}

func TestEmptyStrangeNames(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	folder := filepath.Join(root, "_work")
	check(t, os.MkdirAll(folder, 0o755))
	for _, name := range []string{"new\nline", "...", "-rf", "*", "\x01\x7f", "\xff\xfe", `back\slash`, strings.Repeat("n", 255), " "} {
		dir := filepath.Join(folder, name)
		if err := os.Mkdir(dir, 0o755); err == nil { // not every system has every name
			plant(t, dir, "in/side")
		}
	}
	check(t, workspace.Empty(root, "", -1))
	if left := names(t, folder); len(left) > 0 {
		t.Errorf("the work folder still has %q", left)
	}
}
