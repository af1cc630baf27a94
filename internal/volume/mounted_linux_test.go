package volume

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
)

// TestMountedAtOddNames: the kernel escapes blanks in names, and not what else Unicode calls white space.
func TestMountedAtOddNames(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	for _, name := range []string{"a\u3000b", "a\u00a0b", "a\u0085b", "a b\tc\nd\\e"} {
		at := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(at, 0); err != nil {
				t.Error(err)
			}
		})
		if got, err := Of(at); err != nil || got.Point != at || got.Kind != "tmpfs" {
			t.Errorf("%q: %q of kind %q, %v", at, got.Point, got.Kind, err)
		}
		if got := Above(filepath.Join(at, "below")); got != at {
			t.Errorf("above what is in %q is %q", at, got)
		}
	}
}
