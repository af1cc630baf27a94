package openat

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// opened returns dir as a Dir.
func opened(t *testing.T, dir string) *Dir {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	p, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestDirFollowsNoLink has links to a file and a directory beside it.
func TestDirFollowsNoLink(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	inside, outside := filepath.Join(base, "inside"), filepath.Join(base, "outside")
	long := time.Unix(1_000_000_000, 0)
	for _, err := range []error{
		os.Mkdir(inside, 0o700), os.Mkdir(outside, 0o700),
		os.WriteFile(filepath.Join(outside, "file"), []byte("theirs"), 0o600),
		os.Chtimes(filepath.Join(outside, "file"), long, long),
		os.Symlink("../outside", filepath.Join(inside, "dir")),
		os.Symlink("../outside/file", filepath.Join(inside, "file")),
		os.Symlink("../outside/new", filepath.Join(inside, "new")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p := opened(t, inside)
	for name, err := range map[string]error{
		"entering":       second(p.Enter("dir")),
		"reading":        second(p.OpenFile("file")),
		"making":         second(p.Create("new", 0o600)),
		"making again":   second(p.Create("file", 0o600)),
		"mode":           p.Chmod("dir", 0o755),
		"making one dir": p.Mkdir("new", 0o700),
	} {
		if err == nil {
			t.Errorf("%s through a link is no error", name)
		}
	}
	if err := p.Touch("file", time.Unix(5, 0)); err != nil {
		t.Errorf("setting the times of a link: %v", err)
	}
	if os.Geteuid() == 0 {
		if err := p.Chown("file", 12345, 12345); err != nil {
			t.Errorf("giving a link away: %v", err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(outside, "file"), &st); err != nil || st.Mtim.Nano() != long.UnixNano() || int(st.Uid) != os.Getuid() {
		t.Errorf("the file behind a link is of %d and belongs to %d, %v", st.Mtim.Nano(), st.Uid, err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory behind a link has mode %v, %v", info.Mode(), err)
	}
	if _, err := os.Lstat(filepath.Join(outside, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made behind a link: %v", err)
	}
	if target, err := p.Readlink("dir"); target != "../outside" || err != nil {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestDirTakesOneName(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	if err := os.MkdirAll(filepath.Join(base, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := opened(t, filepath.Join(base, "a"))
	for _, name := range []string{"", ".", "..", "b/c", "../a", "/", filepath.Join(base, "new")} {
		_, errMode := Here(p, name)
		_, errLink := p.Readlink(name)
		for what, err := range map[string]error{
			"enter": second(p.Enter(name)), "read": second(p.OpenFile(name)), "create": second(p.Create(name, 0o600)),
			"mkdir": p.Mkdir(name, 0o700), "chmod": p.Chmod(name, 0o700), "chown": p.Chown(name, os.Getuid(), os.Getgid()),
			"touch": p.Touch(name, time.Now()), "unlink": p.Unlink(name), "rmdir": p.Rmdir(name), "move": p.Move(name, p, "to"), "move to": p.Move("b", p, name), "symlink": p.Symlink("b", name), "readlink": errLink, "mode": errMode,
		} {
			if !errors.Is(err, unix.EINVAL) {
				t.Errorf("%s of %q: %v, want an invalid argument", what, name, err)
			}
		}
	}
	for _, dir := range []string{base, filepath.Join(base, "a")} {
		if list, err := os.ReadDir(dir); len(list) != 1 || err != nil {
			t.Errorf("%q has %v, %v", dir, list, err)
		}
	}
}

// TestDirTellsWhatIsThere compares with package os.
func TestDirTellsWhatIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := opened(t, dir)
	want := []string{"dir", "fifo", "file", "link", "set"}
	for _, err := range []error{
		p.Mkdir("dir", 0o750), p.Symlink("file", "link"), unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		os.WriteFile(filepath.Join(dir, "set"), nil, 0o600), os.Chmod(filepath.Join(dir, "set"), 0o711|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := p.Create("file", 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Create("file", 0o640); !errors.Is(err, fs.ErrExist) {
		t.Errorf("making it again: %v", err)
	}
	data := make([]byte, 1<<20)
	if n, err := f.Write(data); n != len(data) || err != nil {
		t.Fatalf("writing: %d, %v", n, err)
	}
	when := time.Unix(1_234_567_890, 0)
	if err := errors.Join(f.Chmod(0o604), f.Close(), p.Touch("file", when)); err != nil {
		t.Fatal(err)
	}
	if f, err = p.OpenFile("file"); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found, err := f.Status()
	if err != nil || found.Mode != 0o604 || found.Size != int64(len(data)) || !found.Modified.Equal(when) {
		t.Errorf("the file is %+v, %v", found, err)
	}
	if got, err := io.ReadAll(f); len(got) != len(data) || err != nil {
		t.Errorf("it has %d bytes, %v", len(got), err)
	}
	list, err := p.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range list {
		names = append(names, entry.Name)
		info, err := os.Lstat(filepath.Join(dir, entry.Name))
		if err != nil || entry.Type != info.Mode().Type() {
			t.Errorf("%q is listed as %v, not as %v", entry.Name, entry.Type, info.Mode().Type())
		}
		expected := info.Mode()
		if expected.Type() == fs.ModeNamedPipe {
			expected = expected.Perm() | fs.ModeIrregular
		}
		if here, err := Here(p, entry.Name); here.Mode != expected || err != nil {
			t.Errorf("%q has mode %v, %v, want %v", entry.Name, here.Mode, err, expected)
		}
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("listed are %q, want %q", names, want)
	}
}

// TestMountsAreToldApart asks both witnesses, as older kernels have one of them.
func TestMountsAreToldApart(t *testing.T) {
	t.Parallel()
	here, proc := opened(t, t.TempDir()), opened(t, "/proc")
	for _, ask := range []func(int) (uint64, bool){mountOf, mountFromProc} {
		one, known := ask(here.fd)
		two, also := ask(proc.fd)
		if !known || !also || one == two {
			t.Errorf("a temporary folder is of mount %d, known %v; /proc of %d, %v", one, known, two, also)
		}
	}
	fromKernel, _ := mountOf(here.fd)
	if fromProc, _ := mountFromProc(here.fd); fromProc != fromKernel {
		t.Errorf("the kernel tells %d, /proc %d", fromKernel, fromProc)
	}
	if here.SameMount(proc) || !proc.SameMount(proc) {
		t.Error("they are of one mount, or one is not of its own")
	}
	for _, ask := range []func(*Dir, string) bool{(*Dir).IsMounted, isMountedByLook} {
		if !ask(opened(t, "/"), "proc") || ask(opened(t, "/proc"), "version") || ask(here, "missing") {
			t.Error("what is mounted is told to be none, or the other way round")
		}
	}
	if _, err := Here(opened(t, "/"), "proc"); !InUse(err) {
		t.Errorf("of what is mounted something is told: %v", err)
	}
	if _, err := EnterHere(opened(t, "/"), "proc"); !InUse(err) {
		t.Errorf("what is mounted is entered: %v", err)
	}
}

func TestNamesComeInParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := opened(t, dir)
	const many = 300
	for i := range many {
		if err := p.Mkdir(fmt.Sprintf("folder-%d", i), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	buffer := make([]byte, 1024)
	for range 2 {
		listing, err := p.Names(buffer)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for {
			names, err := listing.Next()
			if err != nil {
				t.Fatal(err)
			}
			if len(names) == 0 {
				break
			}
			if len(names) > len(buffer)/24 {
				t.Fatalf("%d names at once", len(names))
			}
			for _, name := range names {
				seen[name] = true
			}
		}
		listing.Close()
		if len(seen) != many {
			t.Errorf("%d names, want %d", len(seen), many)
		}
	}
}
