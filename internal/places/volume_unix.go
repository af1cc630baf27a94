//go:build unix

package places

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
)

func volumeOf(dir string) (volume, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return volume{}, err
	}
	// Types differ by platform.
	return volume{
		id: device(dir), bytes: int64(stat.Bavail) * int64(stat.Bsize), //nolint:gosec,unconvert // likewise
		files: int64(stat.Ffree), counted: stat.Files > 0, readOnly: stat.Flags&1 != 0, //nolint:gosec,unconvert // MNT_RDONLY, ST_RDONLY
		noExec: stat.Flags&noExecFlag != 0, noSetuid: stat.Flags&noSetuidFlag != 0, plain: plainName(&stat),
	}, nil
}

// device is the number of the file system that dir is on.
func device(dir string) uint64 {
	info, err := os.Stat(dir)
	if err != nil {
		return 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(stat.Dev) //nolint:gosec,unconvert // types differ by platform, and it is only compared
}

// mountPoint is the root of the file system that dir is on.
func mountPoint(dir string) string {
	for dir != filepath.Dir(dir) && device(dir) == device(filepath.Dir(dir)) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// probe makes a file in dir that has no name, and gives it to user.
func probe(dir string, given bool, user account.User) *Error {
	file, err := nameless(dir)
	switch {
	case errors.Is(err, unix.EROFS):
		return &Error{Path: dir, Reason: ErrReadOnly}
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &Error{Path: dir, Reason: download.ErrSpace, Detail: err.Error()}
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		return &Error{Path: dir, Reason: ErrSquashed, Detail: "it may not even write there"}
	case err != nil:
		return &Error{Path: dir, Reason: err}
	}
	defer file.Close()
	if problem := linkless(dir); given && problem != nil {
		return problem
	}
	if !given || os.Geteuid() != 0 {
		return nil
	}
	uid, gid := user.UID, user.GID
	if uid <= 0 || gid < 0 {
		uid, gid = someoneElse, someoneElse // an account that is yet to be created
	}
	if err := file.Chown(uid, gid); err != nil {
		return &Error{Path: dir, Reason: ErrSquashed, Detail: err.Error()}
	}
	return nil
}

// someoneElse is the number of an account that is not root and, other than nobody, not what a server takes root for.
const someoneElse = 1

// linkless tries a symbolic link where a file cannot be made without a name: the file systems that have none, the tables of
// others' systems and many a network share, are among those.
func linkless(dir string) *Error {
	if unnamed(dir) {
		return nil
	}
	file, err := os.CreateTemp(dir, ".runner-bootstrap-*")
	if err != nil {
		return nil //nolint:nilerr // that it cannot be written has been told
	}
	name := file.Name() + ".link"
	linked := os.Symlink("nowhere", name)
	mode := file.Chmod(0o700)
	info, looked := file.Stat()
	if linked == nil {
		linked = os.Remove(name)
	}
	if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
		return &Error{Path: dir, Reason: err}
	}
	switch {
	case linked != nil:
		return &Error{Path: dir, Reason: ErrPlain, Detail: "no symbolic links"}
	case mode != nil, looked == nil && info.Mode().Perm() != 0o700:
		return &Error{Path: dir, Reason: ErrPlain, Detail: "no modes"}
	}
	return nil
}

// owns tells whether the account may do everything in a folder, since it is its own.
func owns(user account.User, folder fs.FileInfo) bool {
	const all = 0o700
	stat, ok := folder.Sys().(*syscall.Stat_t)
	return ok && user.UID >= 0 && int(stat.Uid) == user.UID && folder.Mode()&all == all
}

// changeable tells who, beside root and the account, may put something else into the place of what is in a folder.
func changeable(user account.User, folder fs.FileInfo) string {
	stat, ok := folder.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	switch uid := int(stat.Uid); {
	case uid != 0 && uid != os.Geteuid() && uid != user.UID:
		return fmt.Sprintf("its owner, uid %d", uid)
	case folder.Mode()&fs.ModeSticky != 0:
		return ""
	case folder.Mode()&0o002 != 0:
		return "everybody"
	case folder.Mode()&0o020 != 0 && stat.Gid != 0 && !has(user.Groups, stat.Gid) && int(stat.Gid) != user.GID:
		return fmt.Sprintf("its group, gid %d", stat.Gid)
	}
	return ""
}
