package instance

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// farAway is the byte that is locked.
const farAway = 1 << 30

// lockFile locks one byte far behind the content, as Windows would keep others
// from reading a locked range.
func lockFile(file *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
		&windows.Overlapped{Offset: farAway})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// unlockFile ends the lock at once: when it ends with the file alone is not promised.
func unlockFile(file *os.File) error {
	return windows.UnlockFileEx(windows.Handle(file.Fd()), 0, 1, 0, &windows.Overlapped{Offset: farAway})
}

func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	//nolint:gosec // it is positive, see above
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return false
	}
	_ = windows.CloseHandle(process)
	return true
}
