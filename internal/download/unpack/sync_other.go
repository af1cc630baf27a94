//go:build !linux

package unpack

// writeBack is left to the kernel here.
func writeBack(_ *file, _, size, _ int64) int64 { return size }
