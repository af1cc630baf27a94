package volume

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Of tells what file system a directory is on.
func Of(dir string) (Volume, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Volume{}, err
	}
	var free, total uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, &total, nil); err != nil {
		return Volume{}, err
	}
	v := Volume{Bytes: int64(min(free, 1<<62)), Sized: total > 0} //nolint:gosec // bounded
	point := make([]uint16, windows.MAX_LONG_PATH)
	if err := windows.GetVolumePathName(path, &point[0], uint32(len(point))); err != nil { //nolint:gosec // a constant
		return v, nil //nolint:nilerr // its room is known
	}
	v.Point = filepath.Clean(windows.UTF16ToString(point))
	const kindSize = 64
	kind := make([]uint16, kindSize)
	var flags uint32
	if err := windows.GetVolumeInformation(&point[0], nil, 0, nil, nil, &flags, &kind[0], kindSize); err != nil {
		return v, nil //nolint:nilerr // as above
	}
	v.Kind = windows.UTF16ToString(kind)
	v.ReadOnly = flags&windows.FILE_READ_ONLY_VOLUME != 0
	v.Plain = flags&windows.FILE_PERSISTENT_ACLS == 0 // FAT and exFAT have none
	return v, nil
}

// Above is the place of the mount that a path is on; empty, as that is not told here without asking it.
func Above(string) string { return "" }
