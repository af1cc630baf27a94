package jail

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that may drop no capability, as that of a service may not, goes on without.
func TestGiveUpPrivilegesWithoutTheRight(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this function, and what it gave up with it
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var sets [2]unix.CapUserData
		err := unix.Capget(&header, &sets[0])
		if err == nil {
			sets[0].Effective &^= 1 << unix.CAP_SETPCAP
			err = unix.Capset(&header, &sets[0])
		}
		if err == nil {
			err = giveUpPrivileges()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}
