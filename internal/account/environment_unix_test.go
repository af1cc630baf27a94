//go:build unix

package account

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Not parallel: it changes the environment of the process.
func TestEnvironmentHoldsNothingOfOurs(t *testing.T) {
	home, root := t.TempDir(), t.TempDir()
	t.Setenv("RUNNER_BOOTSTRAP_TOKEN", "s3cr3t")
	t.Setenv("PATH", "/somewhere:"+os.Getenv("PATH"))
	t.Setenv("HOME", "/somewhere")
	got := User{Name: "runner", UID: os.Geteuid(), Home: home}.Environment(root, "https_proxy=http://proxy.test", "LANG=de_DE.UTF-8")
	want := []string{
		"PATH=" + SearchPath(), "HOME=" + home, "USER=runner", "LOGNAME=runner", "LANG=C.UTF-8",
		"https_proxy=http://proxy.test", "LANG=de_DE.UTF-8", // the last one counts
	}
	if !slices.Equal(got, want) {
		t.Errorf("the environment is %q, want %q", got, want)
	}
}

func TestEnvironmentAlwaysHasAHome(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, home := range map[string]string{"none": "", "not there": "/nonexistent", "a file": file} {
		if got := (User{Home: home}).Environment(root); !slices.Contains(got, "HOME="+root) {
			t.Errorf("with a home that is %s the environment is %q", name, got)
		}
	}
}

func TestCreatable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"runner": true, "_ci": true, "ci-2_a": true, strings.Repeat("a", 32): true, strings.Repeat("a", 33): false, "": false,
		"-ci": false, "2ci": false, "CI": false, "ci@corp.test": false, `CORP\ci`: false, "1000": false, "ci user": false, "cï": false,
	} {
		if got := Creatable(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}
