//go:build !linux

package workspace

import "os"

// lasting tells whether the numbers of files mean the same after the next start.
func lasting(string) bool { return true }

// foreign tells nothing here: what is mounted is told by its device, once it is open.
func foreign(_ *os.Root, _ string) bool { return false }

// samePlace tells whether a folder is the one of that name on the file system of its parent, which their devices tell here.
func samePlace(_, _ *os.Root, _ string) bool { return true }
