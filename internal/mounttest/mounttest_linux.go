package mounttest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Own is [Apart] with mounts of the process's own: what is mounted there ends with it. Only root can do that, and the tests of others
// are skipped.
func Own(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	if !Apart(t, func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS} }) {
		return false
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("leaving the mounts of others alone: %v", err)
	}
	return true
}
