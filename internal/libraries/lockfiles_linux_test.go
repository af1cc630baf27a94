package libraries

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever apt and dpkg lock here, by their own word, is looked at before they are called.
func TestLockFilesAreThoseOfApt(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("apt-config"); err != nil {
		t.Skip("apt is not here")
	}
	out, err := exec.CommandContext(t.Context(), "apt-config", "shell",
		"ARCHIVES", "Dir::Cache::archives/d", "LISTS", "Dir::State::lists/d", "STATUS", "Dir::State::status/f").Output()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for line := range strings.Lines(string(out)) {
		name, quoted, _ := strings.Cut(strings.TrimSpace(line), "=")
		path := strings.Trim(quoted, "'")
		locks := []string{filepath.Join(path, "lock")}
		if name == "STATUS" {
			locks = []string{filepath.Join(filepath.Dir(path), "lock"), filepath.Join(filepath.Dir(path), "lock-frontend")}
		}
		for _, lock := range locks {
			checked++
			if !slices.Contains(lockFiles(), lock) {
				t.Errorf("%s is not looked at", lock)
			}
		}
	}
	if checked != 4 {
		t.Errorf("apt-config says\n%s", out)
	}
}
