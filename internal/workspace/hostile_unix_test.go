//go:build unix

package workspace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

func TestEmptyRemovesLinksOnly(t *testing.T) {
	t.Parallel()
	root, out := runner(t), outside(t)
	for i, above := range []string{"_work", "_work/repo", "_work/repo/repo", "_work/_temp", "_work/a/b/c/d/e/f", "_diag/pages", "_diag/blocks"} {
		for _, target := range []string{out, filepath.Join(out, "folder"), filepath.Join(out, "precious"), "/", "..", ".", "missing", "../../_diag"} {
			link(t, target, root, above, fmt.Sprintf("link%d%s", i, strings.ReplaceAll(target, "/", "_")))
		}
	}
	check(t, os.Link(filepath.Join(out, "precious"), filepath.Join(root, "_work", "hard")))
	check(t, workspace.Empty(root, "", -1))
	if left := names(t, root, "_work"); len(left) > 0 {
		t.Errorf("the work folder still has %q", left)
	}
	expect(t, root, []string{"_diag/Runner_1.log"}, []string{"_diag/pages/p.1"})
}

func TestLinksInPlaceOfFolders(t *testing.T) {
	t.Parallel()
	old := time.Now().Add(-365 * 24 * time.Hour)
	for _, test := range []struct{ place, target, work string }{
		{"_work", "", ""},
		{"_diag", "", ""},
		{"deep", "", "deep/_work"},
		{"deep/er", "", "deep/er/_work"},
		{"_work", "..", ""},
		{"_work", "bin", ""},
	} {
		t.Run(test.place+" to "+test.target, func(t *testing.T) {
			t.Parallel()
			root, out := t.TempDir(), outside(t)
			plant(t, root, "bin/Runner.Listener", "_diag/Runner_1.log", "deep/x")
			target := out
			if test.target != "" {
				target = test.target
			}
			check(t, os.RemoveAll(filepath.Join(root, test.place)))
			link(t, target, root, test.place)
			if err := workspace.Empty(root, test.work, -1); !errors.Is(err, folders.ErrNotFolder) {
				t.Errorf("Empty: %v, want %v", err, folders.ErrNotFolder)
			}
			if _, err := workspace.Tidy(t.Context(), root, test.work, tight(), old); !errors.Is(err, folders.ErrNotFolder) {
				t.Errorf("Tidy: %v, want %v", err, folders.ErrNotFolder)
			}
			expect(t, root, []string{test.place, "bin/Runner.Listener"}, nil)
		})
	}
}

// Somebody else's link on the way to the runner leads nowhere; root's does.
func TestLinksOnTheWay(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a folder of somebody else")
	}
	for _, test := range []struct {
		name string
		user int
		mode fs.FileMode
	}{{"somebody's", 65534, 0o755}, {"anybody's", 0, 0o777}, {"a group's", 0, 0o775}, {"like tmp", 0, 0o777 | fs.ModeSticky}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			home, out := t.TempDir(), outside(t)
			check(t, os.Chown(home, test.user, test.user))
			check(t, os.Chmod(home, test.mode))
			link(t, out, home, "runner")
			if err := workspace.Empty(filepath.Join(home, "runner"), "", -1); !errors.Is(err, folders.ErrNotFolder) {
				t.Errorf("root through a link: %v, want %v", err, folders.ErrNotFolder)
			}
			if err := workspace.Empty(t.TempDir(), filepath.Join(home, "runner"), -1); !errors.Is(err, folders.ErrNotFolder) {
				t.Errorf("work folder that is a link: %v, want %v", err, folders.ErrNotFolder)
			}
			if err := workspace.Empty(t.TempDir(), filepath.Join(home, "runner", "folder"), -1); !errors.Is(err, folders.ErrNotFolder) {
				t.Errorf("work folder behind a link: %v, want %v", err, folders.ErrNotFolder)
			}
			check(t, workspace.Empty(filepath.Join(home, "missing"), "", -1))
		})
	}
}

// What leads to a folder and is only ours is followed, ".." behind links included.
func TestOwnLinksOnTheWay(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("folders above the test's may be anybody's")
	}
	dir, err := os.MkdirTemp("/var/lib", "workspace") //nolint:usetesting // that folder's parents are root's, not everybody's
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	plant(t, dir, "disk/inner/x", "disk/runner/_work/x", "inner/y")
	link(t, "disk/inner", dir, "way")
	link(t, "way/../runner", dir, "runner")
	link(t, "loop", dir, "loop")
	check(t, workspace.Empty(filepath.Join(dir, "runner"), "", -1))
	expect(t, dir, []string{"disk/inner/x", "disk/runner/_work", "inner/y"}, []string{"disk/runner/_work/x"})
	plant(t, dir, "theirs/")
	link(t, "../disk/inner", dir, "theirs/_work")
	check(t, os.Lchown(filepath.Join(dir, "theirs"), 65534, 65534))
	if err := workspace.Empty(dir, filepath.Join(dir, "theirs/_work"), -1); !errors.Is(err, folders.ErrNotFolder) {
		t.Errorf("somebody's link in their own folder: %v, want %v", err, folders.ErrNotFolder)
	}
	expect(t, dir, []string{"disk/inner/x"}, nil)
	if err := workspace.Empty(filepath.Join(dir, "loop"), "", -1); err == nil {
		t.Error("a link to itself is no error")
	}
}

// A folder becomes a link, a pipe or another folder at any moment.
func TestRaces(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"link outside", "link inside", "pipe"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			root, out := t.TempDir(), outside(t)
			work := filepath.Join(root, "_work")
			plant(t, root, "_diag/pages/x", "kept/precious")
			swapped, aside, other := filepath.Join(work, "repo", "d"), filepath.Join(work, "aside"), filepath.Join(work, "other")
			stop := make(chan struct{})
			var swapper sync.WaitGroup
			swapper.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					// Not made in place, which would follow the link to the outside.
					os.MkdirAll(filepath.Join(work, "build", "deeper", fmt.Sprint(i%7)), 0o755)
					os.Mkdir(filepath.Dir(swapped), 0o755)
					os.Rename(filepath.Join(work, "build"), swapped)
					switch kind {
					case "link outside":
						os.Symlink(filepath.Join(out, "folder"), other)
					case "link inside":
						os.Symlink("../../../kept", other)
					case "pipe":
						syscall.Mkfifo(other, 0o644)
					}
					os.Rename(swapped, aside)
					os.Rename(other, swapped)
					os.Remove(swapped)
				}
			})
			end := time.Now().Add(time.Second)
			for i := 0; i < 3000 && time.Now().Before(end); i++ {
				if i%2 == 0 {
					workspace.Empty(root, "", -1) // what comes again meanwhile may be an error
				} else {
					workspace.Tidy(t.Context(), root, "", tight(), time.Now().Add(1000*time.Hour))
				}
			}
			close(stop)
			swapper.Wait()
			check(t, workspace.Empty(root, "", -1))
			if left := names(t, work); len(left) > 0 {
				t.Errorf("the work folder still has %q", left)
			}
			expect(t, root, []string{"kept/precious"}, nil)
		})
	}
}

// The work folder itself becomes something else between the look at it and its
// opening, which happens often enough to be seen.
func TestRacesForTheWorkFolder(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"link outside", "link inside", "pipe"} {
		t.Run(kind, func(t *testing.T) {
			root, out := t.TempDir(), outside(t)
			plant(t, root, "kept/precious", "_work/x")
			work, aside, other := filepath.Join(root, "_work"), filepath.Join(root, "aside"), filepath.Join(root, "other")
			switch kind {
			case "link outside":
				link(t, filepath.Join(out, "folder"), other)
			case "link inside":
				link(t, "kept", other)
			case "pipe":
				check(t, syscall.Mkfifo(other, 0o644))
			}
			stop := make(chan struct{})
			var swapper sync.WaitGroup
			swapper.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					os.Rename(work, aside)
					os.Rename(other, work)
					os.Rename(work, other)
					os.Rename(aside, work)
				}
			})
			done := make(chan struct{})
			go func() {
				defer close(done)
				end := time.Now().Add(time.Second)
				for i := 0; i < 200_000 && time.Now().Before(end); i++ {
					workspace.Empty(root, "", -1) // that there is no folder at times may be an error
				}
			}()
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Error("it waits for a pipe")
			}
			close(stop)
			swapper.Wait()
			expect(t, root, []string{"kept/precious"}, nil)
		})
	}
}

func TestPipes(t *testing.T) {
	t.Parallel()
	root := runner(t)
	for _, name := range []string{"_work/pipe", "_work/repo/pipe", "_diag/pipe", "_diag/pages/pipe"} {
		check(t, syscall.Mkfifo(filepath.Join(root, name), 0o644))
	}
	freed, err := workspace.Tidy(t.Context(), root, "", tight(), time.Now().Add(1000*time.Hour))
	check(t, err)
	expect(t, root, []string{"_work/pipe"}, []string{"_work/repo", "_diag/pipe", "_diag/pages/pipe"})
	if freed.Files == 0 {
		t.Error("nothing was counted")
	}
	check(t, workspace.Empty(root, "", -1))
	expect(t, root, nil, []string{"_work/pipe"})

	other := t.TempDir()
	check(t, syscall.Mkfifo(filepath.Join(other, "_work"), 0o644))
	if err := workspace.Empty(other, "", -1); !errors.Is(err, folders.ErrNotFolder) {
		t.Errorf("a pipe as the work folder: %v, want %v", err, folders.ErrNotFolder)
	}
}

// Modes keep nobody out: not root, who leaves them, and not the owner, who is let in for good.
func TestUnreadableFolders(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0, 0o100, 0o400, 0o500, 0o200} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			root := runner(t)
			places := []string{"_work/repo/repo", "_work/repo", "_work/_tool/node", "_work/_temp", "_diag/pages", "_diag", "_work"}
			for _, name := range places {
				check(t, os.Chmod(filepath.Join(root, name), mode))
			}
			t.Cleanup(func() { // else the test's folder could not be removed
				os.Chmod(filepath.Join(root, "_work"), 0o755)
				os.Chmod(filepath.Join(root, "_diag"), 0o755)
			})
			if _, err := workspace.Tidy(t.Context(), root, "", workspace.DefaultLimits(), time.Now().Add(1000*time.Hour)); err != nil {
				t.Errorf("Tidy: %v", err)
			}
			if err := workspace.Empty(root, "", -1); err != nil {
				t.Errorf("Empty: %v", err)
			}
			for _, name := range []string{"_work", "_diag"} {
				info, err := os.Lstat(filepath.Join(root, name))
				check(t, err)
				if want := mode; info.Mode().Perm() != want && (os.Geteuid() == 0 || info.Mode().Perm() != want|0o700) {
					t.Errorf("the mode of %s is %v, was %v", name, info.Mode().Perm(), mode)
				}
				check(t, os.Chmod(filepath.Join(root, name), 0o755))
			}
			if left := names(t, root, "_work"); len(left) > 0 {
				t.Errorf("the work folder still has %q", left)
			}
			expect(t, root, nil, []string{"_diag/pages/p.1"})
		})
	}
}

// A container of the job writes as root, or as anybody.
func TestFilesOfOthers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	root := runner(t)
	check(t, os.Chown(filepath.Join(root, "_work"), 1234, 1235))
	check(t, os.Chown(filepath.Join(root, "_work/repo/repo"), 4321, 4321))
	check(t, os.Chmod(filepath.Join(root, "_work/repo/repo"), 0))
	check(t, workspace.Empty(root, "", -1))
	if left := names(t, root, "_work"); len(left) > 0 {
		t.Errorf("the work folder still has %q", left)
	}
	info, err := os.Lstat(filepath.Join(root, "_work"))
	check(t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 1234 || stat.Gid != 1235 {
		t.Errorf("the owner of the work folder is %d:%d, was 1234:1235", stat.Uid, stat.Gid)
	}
}

// A file that has another name still takes its space.
func TestTidyCountsLastNamesOnly(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	root := t.TempDir()
	plant(t, root, "kept", "_work/repo/")
	check(t, os.WriteFile(filepath.Join(root, "kept"), make([]byte, size), 0o644))
	check(t, os.Link(filepath.Join(root, "kept"), filepath.Join(root, "_work/repo/f")))
	age(t, filepath.Join(root, "_work"), 100*24*time.Hour)
	freed, err := workspace.Tidy(t.Context(), root, "", workspace.DefaultLimits(), time.Now())
	check(t, err)
	if freed.Files != 1 || freed.Bytes >= size {
		t.Errorf("%d files of %d bytes were counted, want 1 of less than %d", freed.Files, freed.Bytes, size)
	}
}

// deepen makes folders in each other, a file in each. It goes down by itself, since
// paths end long before.
func deepen(t testing.TB, dir string, levels int) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	for range levels {
		check(t, root.WriteFile("f", []byte("x"), 0o644))
		check(t, root.Mkdir("d", 0o755))
		next, err := root.OpenRoot("d")
		check(t, err)
		root.Close()
		root = next
	}
	root.Close()
}

func TestDeepNesting(t *testing.T) {
	t.Parallel()
	for _, levels := range []int{100, 101, 300} {
		t.Run(fmt.Sprint(levels), func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			plant(t, root, "_work/repo/", "_diag/pages/")
			deepen(t, filepath.Join(root, "_work"), levels)
			deepen(t, filepath.Join(root, "_work/repo"), levels)
			deepen(t, filepath.Join(root, "_diag/pages"), levels)
			freed, err := workspace.Tidy(t.Context(), root, "", workspace.Limits{WorkAge: time.Hour}, time.Now().Add(48*time.Hour))
			check(t, err)
			if want := 2*levels - 1; freed.Files != want { // the first of them is in the work folder itself
				t.Errorf("%d files were counted, want %d", freed.Files, want)
			}
			expect(t, root, []string{"_work/f"}, []string{"_work/repo", "_work/d"})
			deepen(t, filepath.Join(root, "_work"), levels)
			check(t, workspace.Empty(root, "", -1))
			if left := names(t, root, "_work"); len(left) > 0 {
				t.Errorf("the work folder still has %q", left)
			}
			if left := names(t, root, "_diag"); len(left) > 1 {
				t.Errorf("_diag has %q", left)
			}
		})
	}
}

// Hostile nesting must not take all files that a process may open.
func TestFewOpenFiles(t *testing.T) {
	if !mounttest.Apart(t, nil) {
		return
	}
	root := t.TempDir()
	plant(t, root, "_work/")
	deepen(t, filepath.Join(root, "_work"), 350)
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 256, Max: 256}))
	check(t, workspace.Empty(root, "", -1))
	if left := names(t, root, "_work"); len(left) > 0 {
		t.Errorf("the work folder still has %q", left)
	}
}

// TestWorkBehindALink: a job owns the folders on the way to its own, and may put a link into the place of any of them.
func TestWorkBehindALink(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"a", "a/b", "a/b/c"} {
		root, out := t.TempDir(), t.TempDir()
		plant(t, root, "a/b/c/file")
		check(t, os.RemoveAll(filepath.Join(root, where)))
		plant(t, out, "precious", "b/c/precious", "c/precious")
		link(t, out, root, where)
		if err := workspace.Empty(root, "a/b/c", -1); !errors.Is(err, folders.ErrNotFolder) {
			t.Errorf("with a link at %s: %v", where, err)
		}
		if _, err := workspace.Tidy(t.Context(), root, "a/b/c", tight(), time.Now().Add(10000*time.Hour)); !errors.Is(err, folders.ErrNotFolder) {
			t.Errorf("tidied with a link at %s: %v", where, err)
		}
		expect(t, out, []string{"precious", "b/c/precious", "c/precious"}, nil)
	}
}
