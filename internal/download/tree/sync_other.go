//go:build !linux

package tree

import "os"

// writeBack is left to the kernel here.
func writeBack(_ *os.File, _, size, _ int64) int64 { return size }
