package libraries

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// heldBy returns who holds the lock on a file; nil if nobody does, or if it cannot be told.
func heldBy(path string) *HeldError {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil || lock.Type == unix.F_UNLCK {
		return nil
	}
	held := &HeldError{File: path, PID: max(0, int(lock.Pid))}
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", lock.Pid)); err == nil && held.PID > 0 {
		held.Program = strings.TrimSpace(string(name))
	}
	return held
}
