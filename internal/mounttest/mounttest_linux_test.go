package mounttest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What is mounted in such a process is there for its test, and nowhere else.
func TestOwn(t *testing.T) {
	place := filepath.Join(os.TempDir(), "mounttest")
	if !Own(t) {
		if _, err := os.Lstat(filepath.Join(place, "seen")); err == nil {
			t.Error("what the other process has mounted is here as well")
		}
		if err := os.Remove(place); err != nil {
			t.Errorf("the other process has not come so far: %v", err)
		}
		return
	}
	if err := os.Mkdir(place, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", place, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(place, "seen"), nil, 0o600); err != nil {
		t.Error(err)
	}
}
