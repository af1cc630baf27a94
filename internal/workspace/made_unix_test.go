//go:build unix

package workspace_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// TestMakeForAnAccount: a folder for jobs is as open as other programs expect, and the account's, whatever the umask of
// who installs. It changes the umask of the process, and so is not parallel to others.
func TestMakeForAnAccount(t *testing.T) {
	before := syscall.Umask(0o077)
	defer syscall.Umask(before)
	uid, gid := -1, -1
	if os.Geteuid() == 0 {
		uid, gid = 1, 2
	}
	made := filepath.Join(t.TempDir(), "made")
	_, err := workspace.Make(made, uid, gid)
	check(t, err)
	info, err := os.Lstat(made)
	check(t, err)
	if info.Mode().Perm() != 0o755 {
		t.Errorf("its mode is %v", info.Mode())
	}
	if uid < 0 {
		uid, gid = os.Geteuid(), os.Getegid()
	}
	//nolint:gosec,forcetypeassert // they are small, and this is what it is on these systems
	if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != uid || int(owner.Gid) != gid {
		t.Errorf("it belongs to %d:%d, not %d:%d", owner.Uid, owner.Gid, uid, gid)
	}
}
