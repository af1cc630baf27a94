package workspace_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// TestTidyBesideWhatHangs: what is mounted in a work folder may be of a server that does not answer. Nothing waits for it.
func TestTidyBesideWhatHangs(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	root := runner(t)
	places := []string{"_work/_tool", "_work/_temp/x", "_work/repo/repo/x", "_work/mounted", "_diag/x", "_diag/pages/x"}
	for _, name := range places {
		device := hang(t, filepath.Join(root, name))
		defer device.Close() // ends all that waits for it
	}
	ended := make(chan error, 1)
	go func() {
		_, err := workspace.Tidy(t.Context(), root, "", tight(), time.Now().Add(1000*time.Hour))
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, removal.ErrMounted) {
			t.Errorf("%v, want %v", err, removal.ErrMounted)
		}
		expect(t, root, nil, []string{"_work/repo/repo/main.go", "_diag/pages/p.1"})
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

// hang mounts a file system of this process's, which never answers.
func hang(t *testing.T, target string) (device *os.File) {
	t.Helper()
	check(t, os.MkdirAll(target, 0o755))
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no FUSE here: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device.Fd())
	if err := syscall.Mount("hung", target, "fuse.hung", 0, options); err != nil {
		t.Skipf("FUSE cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { check(t, syscall.Unmount(target, syscall.MNT_DETACH)) })
	return device
}
