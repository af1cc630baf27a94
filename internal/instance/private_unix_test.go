//go:build unix

package instance

import (
	"os"
	"testing"
)

// private asserts that nobody but the owner reaches a file.
func private(t *testing.T, path string) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%q is %v, %v", path, info.Mode(), err)
	}
}
