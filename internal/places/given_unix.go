//go:build unix

package places

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// powerful tells whether this process is root, who is given paths of others.
func powerful() bool { return os.Geteuid() == 0 }

// guarded is for systems without modes.
func guarded(string, Trust) error { return nil }

func (t Trust) owns(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid == 0 || has(t.UIDs, stat.Uid) || t.Others && !has(t.JobUIDs, stat.Uid)
}

// writable tells whether an account that is not trusted may write there.
func (t Trust) writable(part string, info fs.FileInfo) bool {
	const group, others = 0o020, 0o002
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !ok:
		return false
	case mode&others != 0:
		return true
	case mode&group == 0, stat.Gid == 0, has(t.GIDs, stat.Gid), t.Others && !has(t.JobGroups, stat.Gid):
		return false
	}
	// Debian had /usr/local for its group staff, which is as good as root there (Debian policy 9.1.2).
	const staff = 50
	return stat.Gid != staff || part != "/usr/local" && !strings.HasPrefix(part, "/usr/local/")
}

func has(ids []int, id uint32) bool {
	return slices.ContainsFunc(ids, func(known int) bool { return known >= 0 && uint64(known) == uint64(id) })
}

func ownerOf(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return "somebody"
	case stat.Uid == 0:
		return "root"
	}
	return fmt.Sprintf("uid %d", stat.Uid)
}
