//go:build unix

package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
)

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func volumeOf(dir string) (volume, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return volume{}, err
	}
	// Types differ by platform.
	return volume{
		id: device(dir), bytes: int64(stat.Bavail) * int64(stat.Bsize), //nolint:gosec,unconvert // likewise
		files: int64(stat.Ffree), counted: stat.Files > 0, readOnly: stat.Flags&1 != 0, //nolint:gosec,unconvert // MNT_RDONLY, ST_RDONLY
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
func probe(dir string, given bool, user account.User) *PlaceError {
	file, err := nameless(dir)
	switch {
	case errors.Is(err, unix.EROFS):
		return &PlaceError{Path: dir, Reason: ErrReadOnly}
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &PlaceError{Path: dir, Reason: download.ErrSpace, Detail: err.Error()}
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		return &PlaceError{Path: dir, Reason: ErrSquashed, Detail: "it may not even write there"}
	case err != nil:
		return &PlaceError{Path: dir, Reason: err}
	}
	defer file.Close()
	if !given || os.Geteuid() != 0 {
		return nil
	}
	uid, gid := user.UID, user.GID
	if uid <= 0 || gid < 0 {
		uid, gid = someoneElse, someoneElse // an account that is yet to be created
	}
	if err := file.Chown(uid, gid); err != nil {
		return &PlaceError{Path: dir, Reason: ErrSquashed, Detail: err.Error()}
	}
	return nil
}

// someoneElse is the number of an account that is not root and, other than nobody, not what a server takes root for.
const someoneElse = 1
