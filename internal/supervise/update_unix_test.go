//go:build unix

package supervise

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The logs of an update are looked for in a folder that jobs can replace.
func TestUpdateOverInAHostileFolder(t *testing.T) {
	t.Parallel()
	since := time.Now().Add(-time.Hour)
	aside := t.TempDir()
	if err := os.WriteFile(filepath.Join(aside, "SelfUpdate-1.log.succeed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  func(diag string) error
		want bool
	}{
		"a folder":     {func(diag string) error { return os.CopyFS(diag, os.DirFS(aside)) }, true},
		"none":         {func(string) error { return nil }, false},
		"an empty one": {func(diag string) error { return os.Mkdir(diag, 0o700) }, false},
		"a pipe":       {func(diag string) error { return syscall.Mkfifo(diag, 0o600) }, false},
		"a link":       {func(diag string) error { return os.Symlink(aside, diag) }, false},
		"a file":       {func(diag string) error { return os.WriteFile(diag, nil, 0o600) }, false},
		"another's log": {func(diag string) error {
			return errors.Join(os.Mkdir(diag, 0o700), os.WriteFile(diag+"/Update.failed", nil, 0o600))
		}, false},
	} {
		root := t.TempDir()
		if err := c.set(filepath.Join(root, "_diag")); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(20*time.Second, func() { panic(name + " is waited for") })
		if got := updateOver(root, since); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		late.Stop()
	}
}
