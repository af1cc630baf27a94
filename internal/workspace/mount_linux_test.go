package workspace_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// mount mounts source on a folder below root, a tmpfs if it is "".
func mount(t *testing.T, source, root, name string) {
	t.Helper()
	target := filepath.Join(root, name)
	check(t, os.MkdirAll(target, 0o755))
	if source == "" {
		check(t, syscall.Mount("tmpfs", target, "tmpfs", 0, "size=1m"))
		plant(t, target, "precious", "folder/precious")
		age(t, target, 100*24*time.Hour)
	} else {
		check(t, syscall.Mount(source, target, "", syscall.MS_BIND, ""))
	}
	t.Cleanup(func() { check(t, syscall.Unmount(target, 0)) })
}

func TestMounts(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	root, out := runner(t), outside(t)
	mounts := []string{"_work/tmpfs", "_work/repo/repo/tmp\nfs", "_work/bind", "_work/repo/repo/bind", "_diag/pages/tmpfs", "_diag/pages/bind", "bin.1/bind"}
	for _, name := range mounts {
		source := ""
		if strings.HasSuffix(name, "bind") {
			source = out
		}
		mount(t, source, root, name)
	}
	plant(t, root, "bin.2/", "_work/repo/file")
	link(t, filepath.Join(root, "bin.2"), root, "bin.link")
	check(t, os.RemoveAll(filepath.Join(root, "bin")))
	check(t, os.Rename(filepath.Join(root, "bin.link"), filepath.Join(root, "bin")))
	work := filepath.Join(root, "_work")

	tell := func(what string, err error, names ...string) {
		t.Helper()
		if !errors.Is(err, removal.ErrMounted) {
			t.Errorf("%s: %v, want %v", what, err, removal.ErrMounted)
			return
		}
		for _, name := range names {
			if name = filepath.Join(root, name); strings.Contains(err.Error(), "\n ") || !strings.Contains(err.Error(), strings.ReplaceAll(name, "\n", `\n`)) {
				t.Errorf("%s does not tell of %q, or not in quotes: %v", what, name, err)
			}
		}
		for _, name := range mounts {
			expect(t, filepath.Join(root, name), []string{"precious", "folder/precious"}, nil)
		}
	}
	_, err := workspace.Tidy(t.Context(), root, "", tight(), time.Now().Add(1000*time.Hour))
	tell("Tidy", err, mounts...)
	expect(t, root, nil, []string{"_work/repo/file", "_work/repo/repo/main.go", "_diag/pages/p.1"})
	tell("Empty", workspace.Empty(root, "", -1), mounts[:6]...)
	if left := names(t, work); len(left) != 3 {
		t.Errorf("the work folder still has %q", left)
	}
}

// TestMountedWorkFolder: what is on a disk that an administrator has mounted on the folder for jobs, or on the way to it,
// is not ours; that a sandbox has mounted the folder onto itself changes nothing.
func TestMountedWorkFolder(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	for name, work := range map[string]string{"_work": "", "a/b": "a/b/c", "a": "a/b"} {
		same := t.TempDir()
		plant(t, same, "precious")
		for what, source := range map[string]string{"a disk": "", "a place of the same disk": same} {
			t.Run(what+" at "+name, func(t *testing.T) {
				root := t.TempDir()
				plant(t, root, "_diag/pages/p.1")
				mount(t, source, root, name)
				if work != "" {
					check(t, os.MkdirAll(filepath.Join(root, work), 0o755))
					t.Cleanup(func() { os.Remove(filepath.Join(root, work)) })
				}
				plant(t, root, filepath.Join(name, "repo/old/file"))
				t.Cleanup(func() { check(t, os.RemoveAll(filepath.Join(root, name, "repo/old"))) })
				if err := workspace.Empty(root, work, -1); !errors.Is(err, removal.ErrMounted) {
					t.Errorf("Empty: %v, want %v", err, removal.ErrMounted)
				}
				_, err := workspace.Tidy(t.Context(), root, work, tight(), time.Now().Add(10000*time.Hour))
				check(t, err)
				expect(t, root, []string{filepath.Join(name, "precious"), filepath.Join(name, "repo/old/file")}, []string{"_diag/pages/p.1"})
			})
		}
	}
	root := t.TempDir()
	plant(t, root, "_work/file")
	check(t, syscall.Mount(filepath.Join(root, "_work"), filepath.Join(root, "_work"), "", syscall.MS_BIND, ""))
	defer func() { check(t, syscall.Unmount(filepath.Join(root, "_work"), 0)) }()
	check(t, workspace.Empty(root, "", -1))
	expect(t, root, []string{"_work"}, []string{"_work/file"})
}

// Where nothing may be removed, a mount does not show by that.
func TestImmutable(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	root, out := t.TempDir(), outside(t)
	plant(t, root, "_work/a/file", "_work/a/folder/file", "_work/b/file", "_work/c")
	mount(t, out, root, "_work/a/bind")
	stay := filepath.Join(root, "_work/a")
	if err := immutable(stay, true); err != nil {
		t.Skip(err)
	}
	if err := immutable(filepath.Join(root, "_work/c"), true); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		check(t, immutable(stay, false))
		check(t, immutable(filepath.Join(root, "_work/c"), false))
	})
	err := workspace.Empty(root, "", -1)
	if !errors.Is(err, syscall.EPERM) || !errors.Is(err, removal.ErrMounted) {
		t.Errorf("%v, want %v and %v", err, syscall.EPERM, removal.ErrMounted)
	}
	for _, name := range []string{`/_work/a"`, "a/bind", `/_work/c"`} {
		if strings.Count(err.Error(), name) != 1 {
			t.Errorf("%s is not told once: %v", name, err)
		}
	}
	for i := range 30 {
		path := filepath.Join(root, "_work", fmt.Sprint("stays", i))
		plant(t, path, "x")
		check(t, immutable(path, true))
		t.Cleanup(func() { check(t, immutable(path, false)) })
	}
	if err := workspace.Empty(root, "", -1).Error(); strings.Count(err, "\n") != 11 || !strings.Contains(err, "\nand ") {
		t.Errorf("not ten problems and a count: %s", err)
	}
	expect(t, root, []string{"_work/a/file", "_work/a/folder", "_work/a/bind/precious", "_work/c"}, []string{"_work/a/folder/file", "_work/b"})
}

// immutable sets or clears the flag that keeps even root from changing a file.
func immutable(path string, on bool) error {
	const get, set, flag = 0x80086601, 0x40086602, 0x10
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var flags int
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), get, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		return errno
	}
	if flags &^= flag; on {
		flags |= flag
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), set, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		return errno
	}
	return nil
}

// TestMadeMounted: what is mounted on a folder that we made, or in it, is left alone; a folder that a sandbox has mounted
// onto itself is the one that we made.
func TestMadeMounted(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir, out := t.TempDir(), outside(t)
	made := filepath.Join(dir, "ma de")
	inode, err := workspace.Make(made, -1, -1)
	check(t, err)
	for name, source := range map[string]string{"another file system": "", "a place of the same one": out} {
		t.Run(name, func(t *testing.T) {
			mount(t, source, dir, "ma de")
			for what, err := range map[string]error{"Check": workspace.Check(made, 0), "Remove": workspace.Remove(made, 0)} {
				if !errors.Is(err, removal.ErrMounted) {
					t.Errorf("%s: %v, want %v", what, err, removal.ErrMounted)
				}
			}
			expect(t, made, []string{"precious"}, nil)
		})
	}
	check(t, syscall.Mount(made, made, "", syscall.MS_BIND, ""))
	check(t, workspace.Check(made, inode))
	check(t, syscall.Unmount(made, 0))

	plant(t, made, "file")
	mount(t, out, made, "bind")
	if err := workspace.Remove(made, inode); !errors.Is(err, removal.ErrMounted) || !strings.Contains(err.Error(), "bind") {
		t.Errorf("with a mount in it: %v", err)
	}
	expect(t, made, []string{"bind/precious"}, []string{"file"})
}

// TestMadeMountedAtTheSamePlace: another file system may have a folder of the same place, as a disk has from which all was
// copied.
func TestMadeMountedAtTheSamePlace(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"one", "other"} {
		mount(t, "", dir, name)
	}
	plant(t, dir, "one/x/", "other/x/made/precious")
	made := filepath.Join(dir, "one/x/made")
	_, err := workspace.Make(made, -1, -1)
	check(t, err)
	mount(t, filepath.Join(dir, "other/x/made"), dir, "one/x/made")
	for what, err := range map[string]error{"Check": workspace.Check(made, 0), "Remove": workspace.Remove(made, 0)} {
		if !errors.Is(err, removal.ErrMounted) {
			t.Errorf("%s: %v, want %v", what, err, removal.ErrMounted)
		}
	}
	expect(t, made, []string{"precious"}, nil)
}

// TestMadeIsKnownAgain: where numbers of files last, a folder has one; on an overlay, which makes them up, it has none, and
// is the one that was made all the same.
func TestMadeIsKnownAgain(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	mount(t, "", dir, "disk")
	plant(t, dir, "disk/lower/", "disk/upper/", "disk/between/", "overlay/")
	disk, overlay := filepath.Join(dir, "disk"), filepath.Join(dir, "overlay")
	options := fmt.Sprintf("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/between", disk, disk, disk)
	check(t, syscall.Mount("overlay", overlay, "overlay", 0, options))
	defer func() { check(t, syscall.Unmount(overlay, 0)) }()
	for place, known := range map[string]bool{disk: true, overlay: false} {
		made := filepath.Join(place, "made")
		inode, err := workspace.Make(made, -1, -1)
		check(t, err)
		var stat syscall.Stat_t
		check(t, syscall.Stat(made, &stat))
		if known && inode != stat.Ino || !known && inode != 0 {
			t.Errorf("%s is known by %d, and its number is %d", made, inode, stat.Ino)
		}
		check(t, workspace.Check(made, inode))
	}
}

func TestEmptyLogsAlone(t *testing.T) {
	root := runner(t)
	check(t, workspace.EmptyLogs(root, -1))
	expect(t, root, []string{"_work/repo/repo/main.go"}, []string{"_diag/pages/p.1"})
	limits := tight()
	limits.WorkStays = true
	_, err := workspace.Tidy(t.Context(), root, "", limits, time.Now().Add(10000*time.Hour))
	check(t, err)
	expect(t, root, []string{"_work/repo/repo/main.go"}, nil)
}

// The kernel does not escape what Unicode calls white space: a folder that a sandbox has mounted onto itself is the folder itself there too.
func TestMountedBelowOddNames(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	root := filepath.Join(t.TempDir(), "a\u3000b\u00a0c\u0085d")
	plant(t, root, "_work/repo/x", "_diag/")
	work := filepath.Join(root, "_work")
	mount(t, work, root, "_work")
	check(t, workspace.Empty(root, "", -1))
	if left := names(t, work); len(left) > 0 {
		t.Errorf("the work folder still has %q", left)
	}
}
