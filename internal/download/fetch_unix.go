//go:build unix

package download

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeBytes is what an unprivileged account may still write below dir. A file system need not tell, as one in memory.
func freeBytes(dir string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	if stat.Blocks == 0 {
		return math.MaxInt64, nil
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil //nolint:gosec,unconvert // types differ by platform
}
