package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// smallDisk and sharingDisk name, for a copy of the test program in a mount
// namespace of its own, the directory to mount a file system on.
const (
	smallDisk   = "TREE_TEST_SMALL_DISK"
	sharingDisk = "TREE_TEST_SHARING_DISK"
)

func TestMain(m *testing.M) {
	for name, test := range map[string]func(string) error{smallDisk: fillDisk, sharingDisk: shareDisk} {
		if dir := os.Getenv(name); dir != "" {
			if err := test(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(m.Run())
}

// inOwnMounts runs this program again for one of the tests of TestMain.
func inOwnMounts(t *testing.T, name string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), name+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

// seen is one file as it came out of an archive.
type seen struct {
	mode    fs.FileMode
	content string // a link's target, a file's text
	inode   string // shared by hard links: the first path of this file
}

func look(t testing.TB, root string) map[string]seen {
	t.Helper()
	all, first := map[string]seen{}, map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		one := seen{mode: info.Mode()}
		switch {
		case entry.Type() == fs.ModeSymlink:
			one.content, err = os.Readlink(path)
		case entry.Type().IsRegular():
			var text []byte
			text, err = os.ReadFile(path)
			one.content = string(text)
			inode := info.Sys().(*syscall.Stat_t).Ino
			if first[inode] == "" {
				first[inode] = name
			}
			one.inode = first[inode]
		}
		all[name] = one
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// odd are entries which the real archives do not all have.
func odd() []githubtest.Entry {
	return []githubtest.Entry{
		{Name: "./externals/wide", Body: "x", Mode: 0o777},
		{Name: "./externals/narrow", Body: "x", Mode: 0o400},
		{Name: "./externals/closed", Body: "x", Mode: 0o001},
		{Name: "./externals/sticky/", Type: tar.TypeDir, Mode: 0o1777},
		{Name: "./externals/shut/", Type: tar.TypeDir, Mode: 0o500},
		{Name: "./externals/shut/in it", Body: "x"},
		{Name: "./externals/not/listed/before/file", Body: "x"},
		{Name: "./externals/not/listed/", Type: tar.TypeDir, Mode: 0o700},
		{Name: "externals//without/.//a dot", Body: "x"},
		{Name: "./externals/Ünïcode \n", Body: "x"},
		{Name: "./externals/not UTF-8 \xff", Body: "x"},
		{Name: "./externals/a-b", Body: "sorts between a and a/b"},
		{Name: "./externals/a/b", Body: "x"},
		{Name: "./externals/EMPTY"},
		{Name: "./externals/empty"},
		{Name: "./externals/nothing in it/", Type: tar.TypeDir},
		{Name: "./externals/" + strings.Repeat("long/", 40) + "path", Body: "x"},
		{Name: "./externals/big", Body: strings.Repeat("0123456789", 60_000)},
		{Name: "./externals/again", Type: tar.TypeLink, Link: "./externals/big"},
		{Name: "./externals/and again", Type: tar.TypeLink, Link: "./externals/again"},
		{Name: "./externals/dangling", Type: tar.TypeSymlink, Link: "none"},
		{Name: "./externals/up", Type: tar.TypeSymlink, Link: ".."},
		{Name: "./externals/up and down", Type: tar.TypeSymlink, Link: "../bin/Runner.Listener"},
		{Name: "./externals/circle", Type: tar.TypeSymlink, Link: "circle"},
	}
}

func oddly(t testing.TB) []byte {
	t.Helper()
	return packed(t, githubtest.ArchiveSpec{Extra: odd()})
}

func TestUnpackMakesWhatTarMakes(t *testing.T) {
	t.Parallel()
	data := oddly(t)
	root, m := unpacked(t, data)
	archive, want := filepath.Join(t.TempDir(), "archive"), t.TempDir()
	if err := os.WriteFile(archive, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.CommandContext(t.Context(), "tar", "--no-same-owner", "-xpzf", archive, "-C", want).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, text)
	}
	// Ours can read everything that is theirs, which is no matter of root's.
	for _, kind := range []string{"d", "f"} {
		cmd := exec.CommandContext(t.Context(), "find", want, "-type", kind, "-exec", "chmod", map[string]string{"d": "u+rwx", "f": "u+rw"}[kind], "{}", ";")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("chmod: %v: %s", err, text)
		}
	}
	got, reference := look(t, root), look(t, want)
	for name, one := range reference {
		switch {
		case name == ".":
			one.mode = fs.ModeDir | 0o700
		case one.mode.IsDir():
			one.mode = fs.ModeDir | one.mode.Perm()&0o755 | 0o700
		case one.mode.IsRegular():
			one.mode = one.mode.Perm()&0o755 | 0o600
		}
		if got[name] != one {
			t.Errorf("%q is %.80v, tar makes %.80v", name, got[name], one)
		}
		delete(got, name)
		if one.mode.IsRegular() {
			wantSameTime(t, filepath.Join(root, name), filepath.Join(want, name))
		}
	}
	for name := range got {
		t.Errorf("%q is too much", name)
	}
	if len(reference) < 40 || len(reference) != len(m.entries)+1 {
		t.Errorf("%d entries were looked at, the manifest has %d", len(reference), len(m.entries))
	}
	if err := m.Check(t.Context(), root); err != nil {
		t.Error(err)
	}
}

func wantSameTime(t *testing.T, one, other string) {
	t.Helper()
	a, errA := os.Stat(one)
	b, errB := os.Stat(other)
	if errA != nil || errB != nil || !a.ModTime().Equal(b.ModTime()) || a.ModTime().After(time.Now().Add(365*24*time.Hour)) {
		t.Errorf("%s was changed at %v, with tar at %v", one, a.ModTime(), b.ModTime())
	}
}

// The modes are the archive's, whatever the umask of who installs. Not
// parallel: the umask is the whole process's.
func TestModesAreThoseOfTheArchive(t *testing.T) {
	data := oddly(t)
	trees, clones := map[int]map[string]seen{}, map[int]map[string]seen{}
	umasks := []int{0o022, 0o077, 0, 0o011}
	if os.Geteuid() == 0 {
		umasks = append(umasks, 0o777) // nobody else could enter what they made
	}
	for _, umask := range umasks {
		dir := emptyDir(t)
		to := filepath.Join(t.TempDir(), "web-1")
		old := syscall.Umask(umask)
		m, err := Tar(t.Context(), bytes.NewReader(data), dir, naming.Unix, Later)
		if err == nil {
			err = m.Check(t.Context(), dir)
		}
		if err == nil {
			err = Clone(t.Context(), dir, m, to, Owner{Keep: true})
		}
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %#o: %v", umask, err)
		}
		trees[umask], clones[umask] = look(t, dir), look(t, to)
	}
	for umask := range trees {
		for name, one := range trees[0o022] {
			if got := trees[umask][name]; got != one {
				t.Errorf("with umask %#o %q is %v, not %v", umask, name, got.mode, one.mode)
			}
			if name == "." {
				one.mode = fs.ModeDir | 0o750
			}
			if got := clones[umask][name]; got.mode != one.mode || got.content != one.content {
				t.Errorf("with umask %#o the copy of %q is %v, not %v", umask, name, got.mode, one.mode)
			}
		}
	}
}

// A directory may hand its group down, as setgid does; modes are still right.
func TestModesBelowASetgidDirectory(t *testing.T) {
	t.Parallel()
	dir := emptyDir(t)
	if err := os.Chmod(dir, fs.ModeSetgid|0o700); err != nil {
		t.Fatal(err)
	}
	m, err := Tar(t.Context(), bytes.NewReader(oddly(t)), dir, naming.Unix, Later)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(t.Context(), dir); err != nil {
		t.Error(err)
	}
	for name, one := range look(t, dir) {
		if name != "." && one.mode&fs.ModeSetgid != 0 {
			t.Errorf("%q is %v", name, one.mode)
		}
	}
}

// The owners in an archive are those of another machine. Only root can give
// files away; everybody else keeps them.
func TestCloneGivesTheTreeAway(t *testing.T) {
	t.Parallel()
	owner := Owner{UID: 65534, GID: 65533}
	if os.Geteuid() != 0 {
		owner = Owner{UID: os.Geteuid(), GID: os.Getegid()}
	}
	from, m := unpacked(t, oddly(t))
	to := filepath.Join(t.TempDir(), "web-1")
	if err := Clone(t.Context(), from, m, to, owner); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, to, owner)
	wantOwner(t, from, Owner{UID: os.Geteuid(), GID: os.Getegid()})
	info, err := os.Stat(filepath.Dir(to))
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		t.Errorf("the directory above was given away as well: %v", err)
	}
}

func TestCloneNamesFilesItCannotGiveAway(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may give everything away")
	}
	from, m := unpacked(t, oddly(t))
	dir := t.TempDir()
	err := Clone(t.Context(), from, m, filepath.Join(dir, "web-1"), Owner{})
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrDamaged) {
		t.Fatalf("giving files to root: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, `giving "`) || !strings.Contains(text, `" to user 0 and group 0: `) {
		t.Errorf("%v does not say which file, and to whom", err)
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("left are %v, %v", left, err)
	}
}

func wantOwner(t *testing.T, root string, owner Owner) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != owner.UID || int(stat.Gid) != owner.GID {
			t.Errorf("%s belongs to %d:%d, not to %d:%d", path, stat.Uid, stat.Gid, owner.UID, owner.GID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		wrapped := fmt.Errorf("writing: %w", &fs.PathError{Err: err})
		for name, got := range map[string]error{"archive": archiveError(wrapped), "host": hostError(wrapped), "twice": hostError(hostError(wrapped))} {
			if !errors.Is(got, ErrSpace) || !errors.Is(got, err) || errors.Is(got, ErrArchive) || strings.Count(got.Error(), ErrSpace.Error()) != 1 {
				t.Errorf("%s: %v is %v", name, err, got)
			}
		}
	}
	inOwnMounts(t, smallDisk)
}

// mount puts a file system on dir that ends with this process.
func mount(dir, kind, source, options string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leaving the mounts of others alone: %w", err)
	}
	if err := syscall.Mount(source, dir, kind, 0, options); err != nil {
		return fmt.Errorf("mounting: %w", err)
	}
	return nil
}

// fillDisk unpacks and clones onto a file system that is too small.
func fillDisk(dir string) error {
	tarball, err := archiveBytes(githubtest.ArchiveSpec{Platform: "linux-x64", Version: "2.337.0", Padding: 1 << 20})
	if err != nil {
		return err
	}
	zipball, err := archiveBytes(githubtest.ArchiveSpec{Platform: "win-x64", Version: "2.337.0", Padding: 1 << 20})
	if err != nil {
		return err
	}
	ctx := context.Background()
	outside, err := os.MkdirTemp("", "tree")
	if err != nil {
		return err
	}
	defer os.RemoveAll(outside)
	m, err := Tar(ctx, bytes.NewReader(tarball), outside, naming.Unix, Later)
	if err != nil {
		return err
	}
	if err := mount(dir, "tmpfs", "tmpfs", "size=512k,mode=755"); err != nil {
		return err
	}
	for name, unpack := range map[string]func(string) error{
		"tar": func(into string) error {
			_, err := Tar(ctx, bytes.NewReader(tarball), into, naming.Unix, Later)
			return err
		},
		"zip": func(into string) error {
			_, err := Zip(ctx, bytes.NewReader(zipball), int64(len(zipball)), into, naming.Windows, 2)
			return err
		},
		"clone": func(into string) error {
			return Clone(ctx, outside, m, filepath.Join(into, "web-1"), Owner{Keep: true})
		},
	} {
		into := filepath.Join(dir, name)
		if err := os.Mkdir(into, 0o700); err != nil {
			return err
		}
		if err := unpack(into); !errors.Is(err, ErrSpace) || errors.Is(err, ErrArchive) || errors.Is(err, ErrDamaged) {
			return fmt.Errorf("%s: %w, want ErrSpace", name, err)
		}
		if left, err := os.ReadDir(into); name == "clone" && (err != nil || len(left) != 0) {
			return fmt.Errorf("cloning left %v, %w", left, err)
		}
		if err := os.RemoveAll(into); err != nil {
			return err
		}
	}
	return nil
}

func archiveBytes(spec githubtest.ArchiveSpec) ([]byte, error) {
	archive, err := githubtest.NewArchive(spec)
	if err != nil {
		return nil, err
	}
	in, err := archive.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

// Where blocks can be shared, they are.
func TestCloneSharesBlocksWhereItCan(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mkfs.xfs"); err != nil {
		t.Skip("no mkfs.xfs to make a file system with that shares blocks")
	}
	inOwnMounts(t, sharingDisk)
}

// shareDisk clones on XFS, within it and to another file system.
func shareDisk(dir string) error {
	disk := dir + ".xfs"
	file, err := os.Create(disk)
	if err != nil {
		return err
	}
	defer os.Remove(disk)
	if err := errors.Join(file.Truncate(400<<20), file.Close()); err != nil {
		return err
	}
	if err := mount(dir, "tmpfs", "tmpfs", ""); err != nil { // makes the mounts private as well
		return err
	}
	for _, command := range [][]string{{"mkfs.xfs", "-q", "-m", "reflink=1", disk}, {"mount", "-o", "loop", disk, dir}} {
		if text, err := exec.CommandContext(context.Background(), command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%q: %w: %s", command, err, text)
		}
	}
	defer exec.CommandContext(context.Background(), "umount", dir).Run() //nolint:errcheck // ends with the namespace anyway
	tarball, err := archiveBytes(githubtest.ArchiveSpec{Platform: "linux-x64", Version: "2.337.0", Padding: 20 << 20, Extra: odd()[:4]})
	if err != nil {
		return err
	}
	ctx, from := context.Background(), filepath.Join(dir, "cache")
	if err := os.Mkdir(from, 0o700); err != nil {
		return err
	}
	m, err := Tar(ctx, bytes.NewReader(tarball), from, naming.Unix, Later)
	if err != nil {
		return err
	}
	return clonesShare(ctx, from, m)
}

func clonesShare(ctx context.Context, from string, m *Manifest) error {
	dir := filepath.Dir(from)
	used := func() (int64, error) {
		var stat syscall.Statfs_t
		err := errors.Join(Sync(dir), syscall.Statfs(dir, &stat))
		return int64(stat.Blocks-stat.Bfree) * int64(stat.Bsize), err //nolint:unconvert // narrower on 32-bit systems
	}
	before, err := used()
	if err != nil {
		return err
	}
	for i := range 4 {
		if err := Clone(ctx, from, m, filepath.Join(dir, fmt.Sprint("web-", i)), Owner{Keep: true}); err != nil {
			return err
		}
	}
	after, err := used()
	if err != nil || after-before > 10<<20 {
		return fmt.Errorf("four copies of 20 MB took %d bytes more, %w", after-before, err)
	}
	first := filepath.Join(dir, "web-0", "config.sh")
	if err := os.WriteFile(first, []byte("changed"), 0o600); err != nil {
		return err
	}
	if err := m.Check(ctx, from); err != nil {
		return fmt.Errorf("after a write to the copy: %w", err)
	}
	other, err := os.MkdirTemp("", "tree")
	if err != nil {
		return err
	}
	defer os.RemoveAll(other)
	return Clone(ctx, from, m, filepath.Join(other, "web-1"), Owner{Keep: true})
}
