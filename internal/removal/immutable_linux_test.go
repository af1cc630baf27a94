package removal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// frozen makes a file or a folder immutable until the test ends.
func frozen(t *testing.T, path string) {
	t.Helper()
	set := func(flags int) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, flags)
	}
	if err := set(unix.STATX_ATTR_IMMUTABLE); err != nil {
		t.Skipf("nothing can be made immutable here: %v", err)
	}
	t.Cleanup(func() {
		if err := set(0); err != nil {
			t.Error(err)
		}
	})
}

// TestImmutable: what may not be removed is named with why, and all beside it goes.
func TestImmutable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a/file", "a/folder"} {
		top := filepath.Join(t.TempDir(), "top")
		for _, path := range []string{"a/file", "a/folder/inner", "b/c/d"} {
			if err := errors.Join(os.MkdirAll(filepath.Join(top, filepath.Dir(path)), 0o700), os.WriteFile(filepath.Join(top, path), nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		frozen(t, filepath.Join(top, name))
		err := Path(top)
		var immutable *ImmutableError
		if !errors.As(err, &immutable) || immutable.Path != filepath.Join(top, name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(top, "b")); err == nil {
			t.Errorf("%s: what is beside it is there", name)
		}
	}
}
