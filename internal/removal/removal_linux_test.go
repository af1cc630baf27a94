package removal_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// mount mounts source, or a tmpfs if it is "", at a place that exists.
func mount(t *testing.T, source, target string) {
	t.Helper()
	if source == "" {
		check(t, syscall.Mount("tmpfs", target, "tmpfs", 0, "size=1m"))
		plant(t, target, "precious", "folder/precious")
	} else {
		check(t, syscall.Mount(source, target, "", syscall.MS_BIND, ""))
	}
	t.Cleanup(func() { unmount(t, target) }) // those that are hidden by a later one come after it
}

func unmount(t *testing.T, target string) {
	t.Helper()
	if err := syscall.Unmount(target, 0); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestMounted: another file system, another place of the same one, a file, at the top, deep, and deeper than folders are
// held open, stay whole and are named by where they can be unmounted. Then the same removal ends what it began.
func TestMounted(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	deep := "tree/" + strings.Repeat("deep/", 150)
	plant(t, dir, "canary/precious", "canary/folder/precious", "tree/a/tmpfs/", "tree/a/b/bind/", "tree/file", "tree/top/", deep+"bind/", "tree/a/x", deep+"y")
	canary := filepath.Join(dir, "canary")
	for _, name := range []string{"tree/a/tmpfs", "tree/a/b/bind", "tree/top", deep + "bind"} {
		source := canary
		if strings.HasSuffix(name, "tmpfs") {
			source = ""
		}
		mount(t, source, filepath.Join(dir, name))
	}
	mount(t, filepath.Join(canary, "precious"), filepath.Join(dir, "tree/file"))

	err := removal.Tree(opened(t, dir), "tree")
	var mounted *removal.MountedError
	if !errors.As(err, &mounted) || len(mounted.Points) != 5 || mounted.More != 0 {
		t.Fatalf("with five things mounted: %v", err)
	}
	expect(t, dir, []string{"canary/precious", "canary/folder/precious", "tree/a/tmpfs/folder/precious", "tree/a/b/bind/folder/precious", "tree/file"},
		[]string{"tree/a/x"})
	for _, name := range []string{"tree/a/tmpfs", "tree/a/b/bind", "tree/top", "tree/file"} {
		if !slices.Contains(mounted.Points, filepath.Join(dir, name)) {
			t.Errorf("%s is not told: %q", name, mounted.Points)
		}
	}
	for _, point := range mounted.Points {
		check(t, syscall.Unmount(point, 0)) // as the hint says, wherever it is now
	}
	check(t, removal.Tree(opened(t, dir), "tree"))
	expect(t, dir, []string{"canary/precious", "canary/folder/precious"}, []string{"tree"})
}

func TestMounts(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	odd := "tree/a\u3000b\u00a0c\u0085d" // white space to Unicode, and not to the kernel
	plant(t, dir, "canary/precious", "tree/a/b c/", "tree/new\nline\\/", odd+"/", "treetop/")
	for _, name := range []string{"tree/a/b c", "tree/new\nline\\", odd, "tree", "treetop"} {
		mount(t, filepath.Join(dir, "canary"), filepath.Join(dir, name))
	}
	points, err := removal.Mounts(filepath.Join(dir, "tree"))
	check(t, err)
	want := []string{filepath.Join(dir, "tree/a/b c"), filepath.Join(dir, "tree/new\nline\\"), filepath.Join(dir, odd), filepath.Join(dir, "tree")}
	if !slices.Equal(points, want) {
		t.Errorf("mounted are %q, want %q", points, want)
	}
	if points, err = removal.Mounts(filepath.Join(dir, "canary")); err != nil || len(points) != 0 {
		t.Errorf("mounted elsewhere are %q, %v", points, err)
	}
}

// TestMountedTop: what is told to be removed is mounted itself.
func TestMountedTop(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	plant(t, dir, "canary/precious", "tree/below", "empty/")
	for _, name := range []string{"tree", "empty"} {
		mount(t, filepath.Join(dir, "canary"), filepath.Join(dir, name))
		if err := removal.Tree(opened(t, dir), name); !errors.Is(err, removal.ErrMounted) {
			t.Errorf("%s: %v, want %v", name, err, removal.ErrMounted)
		}
		if err := removal.Path(filepath.Join(dir, name)); !errors.Is(err, removal.ErrMounted) {
			t.Errorf("%s by its path: %v, want %v", name, err, removal.ErrMounted)
		}
	}
	// Who opens it means it.
	check(t, removal.Inside(opened(t, filepath.Join(dir, "empty"))))
	expect(t, dir, nil, []string{"canary/precious"})
}

// TestMountedWhereNothingCanBeRemoved: in a folder that cannot be changed, a mount does not show by that it is busy.
func TestMountedWhereNothingCanBeRemoved(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	plant(t, dir, "canary/precious", "tree/stays/place/", "tree/stays/other/x")
	mount(t, filepath.Join(dir, "canary"), filepath.Join(dir, "tree/stays/place"))
	if err := immutable(filepath.Join(dir, "tree/stays"), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, immutable(filepath.Join(dir, "tree/stays"), false)) })
	err := removal.Tree(opened(t, dir), "tree")
	if !errors.Is(err, removal.ErrMounted) || !errors.Is(err, syscall.EPERM) {
		t.Errorf("%v, want %v and %v", err, removal.ErrMounted, syscall.EPERM)
	}
	expect(t, dir, []string{"canary/precious", "tree/stays/other"}, []string{"tree/stays/other/x"})
}

// immutable sets or clears the flag that keeps even root from changing a folder.
func immutable(path string, on bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	flags, err := unix.IoctlGetInt(int(file.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	const immutable = 0x10 // FS_IMMUTABLE_FL
	if flags &^= immutable; on {
		flags |= immutable
	}
	return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, flags)
}

// TestMountsAppear: what is mounted at any moment of a removal is not touched by it.
func TestMountsAppear(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	plant(t, dir, "canary/precious", "canary/folder/precious")
	canary, place := filepath.Join(dir, "canary"), filepath.Join(dir, "tree/a/place")
	stop := make(chan struct{})
	var job sync.WaitGroup
	job.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.MkdirAll(filepath.Join(place, "folder"), 0o755)
			os.WriteFile(filepath.Join(place, "precious"), nil, 0o644)
			if syscall.Mount(canary, place, "", syscall.MS_BIND, "") == nil {
				syscall.Unmount(place, syscall.MNT_DETACH)
			}
		}
	})
	parent := opened(t, dir)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		removal.Tree(parent, "tree") // it may find something mounted, or come to it again
	}
	close(stop)
	job.Wait()
	expect(t, dir, []string{"canary/precious", "canary/folder/precious"}, nil)
	check(t, removal.Tree(parent, "tree"))
}

// TestRaces: whatever a job makes of a folder while it is removed, nothing else is.
func TestRaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, "canary/precious", "canary/n/n/precious", "tree/", "kept/precious")
	canary, tree := filepath.Join(dir, "canary"), filepath.Join(dir, "tree")
	// It goes through no link itself: what it moved out of the canary would be gone by its own doing.
	attack := func(tree, where string) {
		inside, err := os.OpenRoot(tree)
		if err != nil {
			return
		}
		defer inside.Close()
		inside.MkdirAll(filepath.Join("d", strings.Repeat("n/", 100)), 0o755)
		inside.Rename(where, "aside")
		inside.Symlink(canary, where)
	}
	stop := make(chan struct{})
	var job sync.WaitGroup
	for i := range 2 {
		job.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				os.Mkdir(tree, 0o755)
				attack(tree, filepath.Join("d", strings.Repeat("n/", 1+50*i)))
				os.Rename(filepath.Join(tree, "aside"), filepath.Join(dir, "kept", "away"))
				os.Rename(filepath.Join(dir, "kept", "away"), filepath.Join(tree, "d"))
				os.Symlink("../kept", filepath.Join(tree, "link"))
				os.Rename(filepath.Join(tree, "link"), filepath.Join(tree, "d"))
				syscall.Mkfifo(filepath.Join(tree, "d"), 0o644)
			}
		})
	}
	parent := opened(t, dir)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		removal.Tree(parent, "tree") // what comes again meanwhile may be an error
	}
	close(stop)
	job.Wait()
	check(t, removal.Tree(parent, "tree"))
	expect(t, dir, []string{"canary/precious", "canary/n/n/precious", "kept/precious"}, []string{"tree"})
}

// TestFewDescriptors: neither depth nor breadth takes all files that a process may open.
func TestFewDescriptors(t *testing.T) {
	if !mounttest.Apart(t, func(*exec.Cmd) {}) {
		return
	}
	dir := t.TempDir()
	plant(t, dir, "tree/")
	nest(t, filepath.Join(dir, "tree"), 2000)
	for i := range 200 {
		plant(t, dir, "tree/"+strings.Repeat("wide/", 70)+strings.Repeat("x", 1+i)+"/in/file")
	}
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 128, Max: 128}))
	check(t, removal.Tree(opened(t, dir), "tree"))
	expect(t, dir, nil, []string{"tree"})
}

// TestUnreadable: modes keep the owner out no more than root.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deep := strings.Repeat("n/", 80)
	for _, mode := range []fs.FileMode{0, 0o100, 0o400, 0o500, 0o200} {
		plant(t, dir, "tree/"+deep+"in/x", "tree/side/x")
		for _, name := range []string{"tree/" + deep + "in", "tree/" + deep, "tree/side", "tree/n", "tree"} {
			check(t, os.Chmod(filepath.Join(dir, name), mode))
		}
		if err := removal.Tree(opened(t, dir), "tree"); err != nil {
			t.Errorf("with mode %v: %v", mode, err)
			check(t, exec.CommandContext(t.Context(), "chmod", "-R", "u+rwX", filepath.Join(dir, "tree")).Run())
		}
		expect(t, dir, nil, []string{"tree"})
	}
}

// TestPathBehindSomebodysLink: root does not follow what an account has put on the way.
func TestPathBehindSomebodysLink(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a folder of somebody else")
	}
	dir := t.TempDir()
	plant(t, dir, "theirs/", "canary/tree/precious")
	check(t, os.Symlink("../canary", filepath.Join(dir, "theirs/way")))
	check(t, os.Lchown(filepath.Join(dir, "theirs"), 65534, 65534))
	if err := removal.Path(filepath.Join(dir, "theirs/way/tree")); !errors.Is(err, folders.ErrNotFolder) {
		t.Errorf("%v, want %v", err, folders.ErrNotFolder)
	}
	expect(t, dir, []string{"canary/tree/precious"}, nil)
}
