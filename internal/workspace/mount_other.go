//go:build !linux

package workspace

import "os"

// sameMount tells whether a folder belongs to the same mount as its parent, which
// their devices tell here: a file system is in one place only.
func sameMount(_, _ *os.Root) bool { return true }
