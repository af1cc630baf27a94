//go:build unix

package main

import "syscall"

// fileMode makes modes what the code says: under a stricter mask the runner's
// account could not enter its own directory. Secrets have their modes spelled
// out.
func fileMode() { syscall.Umask(0o022) }
