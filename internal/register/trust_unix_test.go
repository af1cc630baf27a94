//go:build unix

package register

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What everybody may read among the system's own files need not be copied for an account; all else has to be.
func TestPublic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Chmod(dir, 0o755), os.Symlink("/etc/passwd", link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/etc/passwd": true, "/etc/../etc/passwd": true, "/etc/ssl/certs": exists("/etc/ssl/certs"), "/usr/bin/env": true,
		"/etc/shadow": false, "/etc": false, "/etc/none": false, "/etc/ssl/private": false, "": false, "etc/passwd": false,
		file: false, dir: false, "/root": false, "/proc/self/environ": false,
		link: false, // its folder is closed to others, as is each that a test has
	} {
		if got := public(path); got != want {
			t.Errorf("%q: %t, want %t", path, got, want)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
