//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// fileMode makes modes what the code says: under a stricter mask the runner's
// account could not enter its own directory. Secrets have their modes spelled
// out.
func fileMode() { syscall.Umask(0o022) }

// openToOthers tells whether others than its owner can read a file, and its mode.
func openToOthers(_ string, info fs.FileInfo) (mode string, open bool) {
	const others = 0o044
	return info.Mode().Perm().String(), info.Mode().Perm()&others != 0
}
