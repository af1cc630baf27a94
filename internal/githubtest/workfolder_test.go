//go:build unix

package githubtest_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWorkFolderIsValidated: a listener that cannot work says so and ends, as the real one does.
func TestWorkFolderIsValidated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		work, reason string
		prepare      func(t *testing.T, dir string)
	}{
		"in a file's place": {"sub/work", "not a directory", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "sub"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		"closed": {"work", "permission denied", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Mkdir(filepath.Join(dir, "work"), 0o555); err != nil {
				t.Fatal(err)
			}
		}},
		"behind what it may not list": {"sub/work", "permission denied", func(t *testing.T, dir string) {
			t.Helper()
			for _, one := range []string{filepath.Join(dir, "sub"), filepath.Join(dir, "sub", "work")} {
				if err := os.Mkdir(one, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			if os.Geteuid() == 0 {
				if err := os.Chown(filepath.Join(dir, "sub", "work"), nobody, nobody); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Join(dir, "sub"), 0o311); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "sub"), 0o755) }) //nolint:errcheck // the folder goes anyway
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			dir := filepath.Dir(h.dir)
			tc.prepare(t, dir)
			work := filepath.Join(dir, tc.work)
			h.configure("--work", work)
			_, stderr := h.start(nil, "bin/Runner.Listener", "run").end(1)
			contains(t, stderr, "Fail to create and validate runner's work directory '"+work+"'.", tc.reason)
		})
	}
}
