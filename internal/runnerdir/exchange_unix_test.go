//go:build unix

package runnerdir

import (
	"os"
	"path/filepath"
	"testing"
)

// Two directories change places, with one call or with three.
func TestExchange(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(a, b string) error{"at once": exchange, "by three": exchangeByThree} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		write(t, filepath.Join(a, "file"), "a")
		write(t, filepath.Join(b, "file"), "b")
		if err := do(a, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if entries, err := os.ReadDir(dir); read(t, filepath.Join(a, "file")) != "b" || read(t, filepath.Join(b, "file")) != "a" || len(entries) != 2 || err != nil {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

// A folder is taken along; what a job has put in its place is not.
func TestMoveFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to, aside := filepath.Join(dir, "from"), filepath.Join(dir, "to"), filepath.Join(dir, "aside")
	write(t, filepath.Join(from, "_diag", "log"), "new")
	write(t, filepath.Join(to, "_diag", "log"), "old")
	write(t, filepath.Join(aside, "secret"), "root's")
	if err := os.Symlink(aside, filepath.Join(from, "_work")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"_diag", "_work", "none"} {
		if err := moveFolder(from, to, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := read(t, filepath.Join(to, "_diag", "log")); got != "new" {
		t.Errorf("the log says %q", got)
	}
	if _, err := os.Lstat(filepath.Join(to, "_work")); !os.IsNotExist(err) {
		t.Errorf("a link was taken along: %v", err)
	}
	if got := read(t, filepath.Join(aside, "secret")); got != "root's" {
		t.Errorf("what the link leads to holds %q", got)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}
