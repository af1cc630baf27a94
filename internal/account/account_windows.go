package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"

	"golang.org/x/sys/windows"
)

// As leaves cmd as it is: on Windows a program runs as the account that
// started it.
func (User) As(*exec.Cmd) {}

// Create gives an account that exists, as virtual ones do, and makes none: those of Windows hosts and domains are made by
// their administrators.
func Create(_ context.Context, name string, _ ...string) (User, error) {
	u, err := Lookup(name)
	if errors.Is(err, ErrAbsent) {
		return User{}, fmt.Errorf("creating account %q: %w: not supported on Windows", name, ErrCreate)
	}
	return u, err
}

// Creatable tells that no account is made here.
func Creatable(string) bool { return false }

// Own does nothing yet.
func (User) Own(string) error { return nil }

func (User) mayList(fs.FileInfo) bool  { return true }
func (User) mayWrite(fs.FileInfo) bool { return true }

// Privileged tells whether this process may create services: it is one of an administrator's that is elevated, or
// LocalSystem's. Other accounts for services are elevated, too, and may not.
func Privileged() bool {
	administrators, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil || !windows.GetCurrentProcessToken().IsElevated() {
		return false
	}
	member, err := windows.Token(0).IsMember(administrators)
	return err == nil && member
}

func (User) mayRead(fs.FileInfo, bool) bool { return true }
