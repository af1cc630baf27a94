package download

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// smallDisk names, for a copy of the test program in a mount namespace of its
// own, the directory to mount a small file system on.
const smallDisk = "DOWNLOAD_TEST_SMALL_DISK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(smallDisk); dir != "" {
		if err := fillDisk(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// seen is one file as it came out of an archive.
type seen struct {
	mode    fs.FileMode
	content string // a link's target, a file's text
	inode   string // shared by hard links: the first path of this file
}

func look(t *testing.T, root string) map[string]seen {
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
		{Name: "externals//without/.//a dot", Body: "x"},
		{Name: "./externals/Ünïcode \n", Body: "x"},
		{Name: "./externals/empty"},
		{Name: "./externals/" + strings.Repeat("long/", 40) + "path", Body: "x"},
		{Name: "./externals/big", Body: strings.Repeat("0123456789", 20_000)},
		{Name: "./externals/again", Type: tar.TypeLink, Link: "./externals/big"},
		{Name: "./externals/dangling", Type: tar.TypeSymlink, Link: "none"},
		{Name: "./externals/up", Type: tar.TypeSymlink, Link: ".."},
		{Name: "./externals/up and down", Type: tar.TypeSymlink, Link: "../bin/Runner.Listener"},
		{Name: "./externals/circle", Type: tar.TypeSymlink, Link: "circle"},
	}
}

func TestUnpackMakesWhatTarMakes(t *testing.T) {
	t.Parallel()
	archive := packed(t, odd()...)
	root, want := filepath.Join(t.TempDir(), "runners", "web-1"), t.TempDir()
	if err := Unpack(t.Context(), archive, root, keep()); err != nil {
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
			one.mode = fs.ModeDir | 0o750
		case one.mode.IsDir():
			one.mode = fs.ModeDir | one.mode.Perm()&0o755 | 0o700
		case one.mode.IsRegular():
			one.mode = one.mode.Perm()&0o755 | 0o600
		}
		if got[name] != one {
			t.Errorf("%q is %.80v, tar makes %.80v", name, got[name], one)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%q is too much", name)
	}
	if len(reference) < 40 {
		t.Errorf("only %d entries were looked at", len(reference))
	}
}

// The modes are the archive's, whatever the umask of who installs. Not
// parallel: the umask is the whole process's.
func TestUnpackIgnoresTheUmask(t *testing.T) {
	archive := packed(t, odd()...)
	trees := map[int]map[string]seen{}
	umasks := []int{0o022, 0o077, 0}
	if os.Geteuid() == 0 {
		umasks = append(umasks, 0o777) // nobody else could enter what they made
	}
	for _, umask := range umasks {
		root := filepath.Join(t.TempDir(), "web-1")
		old := syscall.Umask(umask)
		err := Unpack(t.Context(), archive, root, keep())
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %#o: %v", umask, err)
		}
		trees[umask] = look(t, root)
	}
	for umask, tree := range trees {
		for name, one := range trees[0o022] {
			if tree[name] != one {
				t.Errorf("with umask %#o %q is %v, not %v", umask, name, tree[name].mode, one.mode)
			}
		}
	}
}

// The owners in an archive are those of another machine. Only root can give
// files away; everybody else keeps them.
func TestUnpackGivesTheTreeAway(t *testing.T) {
	t.Parallel()
	owner := Owner{UID: 65534, GID: 65533}
	if os.Geteuid() != 0 {
		owner = Owner{UID: os.Geteuid(), GID: os.Getegid()}
	}
	root := filepath.Join(t.TempDir(), "runners", "web-1")
	if err := Unpack(t.Context(), packed(t, odd()...), root, owner); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != owner.UID || int(stat.Gid) != owner.GID {
			t.Errorf("%s belongs to %d:%d", path, stat.Uid, stat.Gid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Dir(root))
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		t.Errorf("the directory above was given away as well: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	if got := unpackError(t.Context(), &fs.PathError{Err: syscall.ENOSPC}); !errors.Is(got, ErrSpace) {
		t.Errorf("a full disk is %v", got)
	}
	if os.Geteuid() != 0 {
		return // only root can mount one
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

// fillDisk unpacks, and fetches, onto a file system that is too small.
func fillDisk(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leaving the mounts of others alone: %w", err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "linux-x64", Version: "2.337.0", Padding: 1 << 20, Dir: dir})
	if err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, archive.Filename), dir+".tar.gz"); err != nil {
		return err
	}
	defer os.Remove(dir + ".tar.gz")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k,mode=755"); err != nil {
		return fmt.Errorf("mounting a small disk: %w", err)
	}
	root := filepath.Join(dir, "runners", "web-1")
	if err := Unpack(context.Background(), dir+".tar.gz", root, keep()); !errors.Is(err, ErrSpace) || errors.Is(err, ErrArchive) {
		return fmt.Errorf("unpacking: %w, want ErrSpace", err)
	}
	if left, err := os.ReadDir(filepath.Dir(root)); err != nil || len(left) != 0 {
		return fmt.Errorf("unpacking left %v, %w", left, err)
	}
	for _, tellsLength := range []bool{true, false} {
		if err := fetchTooMuch(dir, tellsLength); err != nil {
			return err
		}
	}
	return nil
}

func fetchTooMuch(dir string, tellsLength bool) error {
	body := make([]byte, 1<<20)
	if tellsLength {
		body = body[:200<<10] // the archive would have room, its tree would not
	}
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		requests++
		if tellsLength {
			out.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		_, _ = out.Write(body) // the other side hangs up
	}))
	defer server.Close()
	f := &Fetcher{Client: server.Client(), Cache: filepath.Join(dir, "cache")}
	_, _, err := f.Fetch(context.Background(), Asset{Filename: "x.tar.gz", URL: server.URL, SHA256: oneDigest}, func(int64, int64) {})
	if !errors.Is(err, ErrSpace) || requests != 1 {
		return fmt.Errorf("fetching with a length told, %t: %w after %d requests, want ErrSpace after one", tellsLength, err, requests)
	}
	if left, err := os.ReadDir(f.Cache); err != nil || len(left) != 0 {
		return fmt.Errorf("fetching left %v, %w", left, err)
	}
	return nil
}
