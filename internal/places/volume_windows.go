package places

import (
	"io/fs"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

func volumeOf(dir string) (volume, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return volume{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return volume{}, err
	}
	return volume{bytes: int64(min(free, 1<<62))}, nil //nolint:gosec // bounded
}

func mountPoint(dir string) string { return dir }

// probe leaves it to the write to find out: rights on Windows are not those of a mode.
func probe(string, bool, account.User) *Error { return nil }

// owns and changeable leave it to the making to find out: rights on Windows are not those of a mode.
func owns(account.User, fs.FileInfo) bool { return true }

func changeable(account.User, fs.FileInfo) string { return "" }
