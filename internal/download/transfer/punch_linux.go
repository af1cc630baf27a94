package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// punch frees the room that size bytes of file take at offset from; the file keeps its
// length. Where the file system cannot do that, they stay.
func punch(file *os.File, from, size int64) {
	//nolint:gosec // a descriptor fits
	_ = unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, size)
}
