package openat

const (
	// Disks are kept busy while a large file is still being made.
	writeBackStep = 8 << 20
	// Small ones are left to the kernel: they cost a call each.
	writeBackLeast = 1 << 20
)

// WriteBack makes the kernel begin to write the bytes from begun to size to the disk, where it can, of a file that will have
// whole of them: a synchronisation that follows finds little left to do. It returns up to where that has begun. A failure
// shows up in that synchronisation. It may be repeated.
func (f *File) WriteBack(begun, size, whole int64) int64 {
	if size-begun < writeBackStep && (size < whole || size < writeBackLeast) {
		return begun
	}
	f.startWriting(begun, size-begun)
	return size
}
