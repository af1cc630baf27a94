package jail

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

// forgetBefore clears the keyrings of an account that is a life's own: what one job has put there, such as a ticket of Kerberos, is
// not for the next. A host whose kernel has none, or lets nobody use them, has nothing to clear.
func forgetBefore(spec Spec) error {
	user := spec.User
	if !spec.View.OwnKeys || user.Self || user.Root() {
		return nil // they may be of somebody who does other things as well
	}
	// As the account, whose keyrings root cannot open.
	if err := onThread(func() error { return clearKeyrings(user) }); err != nil {
		return fmt.Errorf("clearing the keyrings of the account: %w", err)
	}
	return nil
}

// onThread does something on a thread that ends with it, and is not the main one: who may signal that one may signal this process.
func onThread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			done <- onThread(do) // on another, as long as this one is taken
			runtime.UnlockOSThread()
			return
		}
		done <- do() // and stays locked, so that the thread is used for nothing else
	}()
	return <-done
}

// clearKeyrings makes its thread one of the account's, and clears what stays when the last process of the account has ended.
func clearKeyrings(user account.User) error {
	gid, uid := uintptr(user.GID), uintptr(user.UID) //nolint:gosec // no account has a negative one
	if _, _, failed := unix.RawSyscall(setThreadGID, gid, gid, gid); failed != 0 {
		return failed
	}
	if _, _, failed := unix.RawSyscall(setThreadUID, uid, uid, uid); failed != 0 {
		return failed
	}
	var err error
	for _, ring := range []int{unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING} {
		err = errors.Join(err, clearKeyring(ring))
	}
	const getPersistent, own = 22, -1 // keyctl_get_persistent(3)
	if ring, failed := unix.KeyctlInt(getPersistent, own, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0); failed == nil {
		err = errors.Join(err, clearKeyring(ring))
	}
	return err
}

func clearKeyring(ring int) error {
	_, err := unix.KeyctlInt(unix.KEYCTL_CLEAR, ring, 0, 0, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOKEY) {
		return nil // there is no such thing here
	}
	return err
}
