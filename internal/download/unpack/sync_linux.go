package unpack

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	// Disks are kept busy while a large file is still being made.
	writeBackStep = 8 << 20
	// Small ones are left to the kernel: they cost a call each.
	writeBackLeast = 1 << 20
)

// writeBack makes the kernel begin to write the bytes of file from begun to size
// to the disk, without waiting for it, so that [Sync] finds little left to do. It
// returns up to where that has begun. A failure shows up in Sync.
func writeBack(f *file, begun, size, whole int64) int64 {
	if size-begun < writeBackStep && (size < whole || size < writeBackLeast) {
		return begun
	}
	_ = unix.SyncFileRange(f.fd, begun, size-begun, unix.SYNC_FILE_RANGE_WRITE)
	return size
}

func syncTree(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Syncfs(int(file.Fd()))
}
