//go:build unix

package instance

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes an advisory lock without waiting. It belongs to the open file, and
// ends with the last descriptor of it: no child may inherit one.
func lockFile(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// unlockFile ends the lock at once. With the file alone it would end when the last descriptor is closed: a child that is being
// started has copies of all of them for a moment.
func unlockFile(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }

func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// groupAlive tells whether any process is in the group of leader.
func groupAlive(leader int) bool {
	if leader <= 1 {
		return false // of 1 the kernel would ask every process there is
	}
	err := syscall.Kill(-leader, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
