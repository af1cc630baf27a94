package mounttest

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// Hang mounts a file system that does not answer, as that of a server which is away, until the test ends or the device that it
// gives is closed: that ends all that waits for it. The caller is in a process that [Own] has started.
func Hang(t *testing.T, at string) (device *os.File) {
	t.Helper()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no FUSE here: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device.Fd())
	if err := syscall.Mount("hung", at, "fuse.hung", 0, options); err != nil {
		t.Skipf("FUSE cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		_ = device.Close() // it may be closed already
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return device
}
