package workspace_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// acl is an access list by which the account 65534 may do all: acl(5), as the kernel takes it.
func acl() []byte {
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, entry := range []struct {
		tag, mode uint16
		id        uint32
	}{{1, 7, 1<<32 - 1}, {2, 7, 65534}, {4, 7, 1<<32 - 1}, {16, 7, 1<<32 - 1}, {32, 5, 1<<32 - 1}} {
		list = binary.LittleEndian.AppendUint16(list, entry.tag)
		list = binary.LittleEndian.AppendUint16(list, entry.mode)
		list = binary.LittleEndian.AppendUint32(list, entry.id)
	}
	return list
}

// spoil sets on a folder all that its owner can set.
func spoil(t *testing.T, folder string) {
	t.Helper()
	for name, value := range map[string][]byte{"system.posix_acl_default": acl(), "system.posix_acl_access": acl(), "user.left": []byte("by a job")} {
		if err := unix.Setxattr(folder, name, value, 0); errors.Is(err, unix.ENOTSUP) {
			t.Skipf("there are no attributes such as %s here", name)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	check(t, os.Chmod(folder, 0o777|fs.ModeSetgid|fs.ModeSticky))
}

func attributes(t *testing.T, path string) string {
	t.Helper()
	list := make([]byte, 64<<10)
	n, err := unix.Listxattr(path, list)
	check(t, err)
	var left []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "security.") && name != "" { // that is the system's
			left = append(left, name)
		}
	}
	return strings.Join(left, " ")
}

// TestWhatAJobSetsOnItsFolders: the files of the next job have nothing from the folders that they are made in.
func TestWhatAJobSetsOnItsFolders(t *testing.T) {
	t.Parallel()
	for name, absolute := range map[string]bool{"within": false, "elsewhere": true} {
		root, work := runner(t), ""
		folder, logs := filepath.Join(root, "_work"), filepath.Join(root, "_diag")
		if absolute {
			folder = filepath.Join(t.TempDir(), "w")
			work = folder
			plant(t, folder, "repo/x")
		}
		before, err := os.Lstat(folder)
		check(t, err)
		spoil(t, folder)
		spoil(t, logs)
		check(t, workspace.Empty(root, work, os.Getuid()))
		for _, path := range []string{folder, logs} {
			info, err := os.Lstat(path)
			check(t, err)
			if left := attributes(t, path); left != "" || info.Mode() != 0o755|fs.ModeDir {
				t.Errorf("%s: %s has the mode %v and %q", name, path, info.Mode(), left)
			}
			plant(t, path, "next")
			if left := attributes(t, filepath.Join(path, "next")); left != "" {
				t.Errorf("%s: a file of the next job has %q", name, left)
			}
		}
		if after, err := os.Lstat(folder); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it is another folder: %v", name, err)
		}
	}
}

// What is narrower than it was made may be an administrator's wish, and stays; so does all on a folder of another's.
func TestWhatStaysOnFolders(t *testing.T) {
	t.Parallel()
	root, narrow := runner(t), t.TempDir()
	check(t, os.Chmod(narrow, 0o700))
	check(t, workspace.Empty(root, narrow, os.Getuid()))
	if info, err := os.Lstat(narrow); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a folder that was narrower has %v, %v", info.Mode(), err)
	}
	spoil(t, narrow)
	before, err := os.Lstat(narrow)
	check(t, err)
	check(t, workspace.Empty(root, narrow, os.Getuid()+1))
	after, err := os.Lstat(narrow)
	check(t, err)
	if left := attributes(t, narrow); after.Mode() != before.Mode() || len(strings.Fields(left)) != 3 {
		t.Errorf("a folder of another's has %v and %q", after.Mode(), left)
	}
	for _, mode := range []fs.FileMode{0, 0o500} {
		check(t, os.Chmod(filepath.Join(root, "_diag"), mode))
		check(t, workspace.EmptyLogs(root, os.Getuid()))
		info, err := os.Lstat(filepath.Join(root, "_diag"))
		check(t, err)
		if info.Mode().Perm()&0o700 != 0o700 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
			t.Errorf("after mode %v the folder for logs has %v", mode, info.Mode())
		}
	}
}
