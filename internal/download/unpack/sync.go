package unpack

import "github.com/runner-bootstrap/runner-bootstrap/internal/openat"

const (
	// Disks are kept busy while a large file is still being made.
	writeBackStep = 8 << 20
	// Small ones are left to the kernel: they cost a call each.
	writeBackLeast = 1 << 20
)

// writeBack makes the kernel begin to write the bytes of file from begun to size
// to the disk, where it can, so that [Sync] finds little left to do. It returns up to
// where that has begun.
func writeBack(f *openat.File, begun, size, whole int64) int64 {
	if size-begun < writeBackStep && (size < whole || size < writeBackLeast) {
		return begun
	}
	f.StartWriting(begun, size-begun)
	return size
}
