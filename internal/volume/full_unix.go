//go:build unix

package volume

import "syscall"

// Full are the system's errors of what has no room left: a file system, and a quota.
func Full() []error { return []error{syscall.ENOSPC, syscall.EDQUOT} }
