package removal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// fuse mounts a file system whose server is this process, which never answers. Closing the device ends it.
func fuse(t *testing.T, target, more string) (device *os.File) {
	t.Helper()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no FUSE here: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=61234,group_id=61234%s", device.Fd(), more)
	if err := syscall.Mount("hung", target, "fuse.hung", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		device.Close()
		t.Skipf("FUSE cannot be mounted here: %v", err)
	}
	return device
}

// TestMountedFuse: a file system of a job's own, whose server does not answer, answers others than root alone, or was killed, is told
// as what is mounted, and is not waited for.
func TestMountedFuse(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	deep := "tree/" + strings.Repeat("deep/", 80) + "hung"
	for _, place := range []string{"tree", "tree/a/hung", deep} {
		for _, more := range []string{"", ",allow_other"} {
			for _, killed := range []bool{false, true} {
				what := fmt.Sprintf("%.20s%s, killed %t", place, more, killed)
				plant(t, dir, place+"/", "tree/a/x")
				device := fuse(t, filepath.Join(dir, place), more)
				if killed {
					check(t, device.Close())
				}
				removesBeside(t, dir, what, device)
			}
		}
	}
}

// removesBeside removes the tree, but for what is mounted in it, and then all of it.
func removesBeside(t *testing.T, dir, what string, device *os.File) {
	t.Helper()
	ended := make(chan error, 1)
	parent := opened(t, dir)
	go func() {
		_, err := removal.Counted(t.Context(), parent, "tree", "", &removal.Freed{})
		ended <- err
	}()
	select {
	case err := <-ended:
		var mounted *removal.MountedError
		if !errors.As(err, &mounted) || !removal.MountsAlone(err) || len(mounted.Points) != 1 {
			t.Errorf("%s: %v", what, err)
		}
		device.Close() // it may be
	case <-time.After(10 * time.Second):
		device.Close() // which ends the waiting
		t.Errorf("%s: it waits; then %v", what, <-ended)
	}
	unmountAll(t, dir)
	check(t, removal.Path(filepath.Join(dir, "tree")))
}

// unmountAll is for what lies elsewhere now.
func unmountAll(t *testing.T, dir string) {
	t.Helper()
	points, err := removal.Mounts(dir)
	check(t, err)
	for _, point := range points {
		check(t, syscall.Unmount(point, syscall.MNT_DETACH))
	}
}
