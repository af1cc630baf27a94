package account

import (
	"context"
	"fmt"
	"io/fs"
	"os/exec"

	"golang.org/x/sys/windows"
)

// As leaves cmd as it is: on Windows a program runs as the account that
// started it.
func (User) As(*exec.Cmd) {}

// Create refuses: accounts of Windows hosts are made by their administrator.
func Create(_ context.Context, name string, _ ...string) (User, error) {
	return User{}, fmt.Errorf("creating account %q: %w: not supported on Windows", name, ErrCreate)
}

func (User) mayList(fs.FileInfo) bool  { return true }
func (User) mayWrite(fs.FileInfo) bool { return true }

// Privileged tells whether this process may create services.
func Privileged() bool                      { return windows.GetCurrentProcessToken().IsElevated() }
func (User) mayRead(fs.FileInfo, bool) bool { return true }
