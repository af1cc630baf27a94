package svc

import (
	"context"
	"errors"
)

// Available returns nil: every Windows has its service manager.
func Available() error { return nil }

// JobsApart is true: jobs run in a service of their own.
func JobsApart(context.Context) bool { return true }

// EndUserManager does nothing: there are none.
func EndUserManager(context.Context, string, int) (done string, err error) { return "", nil }

// ErrVersion says that systemd has answered, and not with a version that can be read.
var ErrVersion = errors.New("no version")

// UnitsVersion is of systemd, which is not here.
const UnitsVersion = 0

// Version is 0: there is no systemd.
func Version(context.Context) (int, error) { return 0, nil }

// Ask fails: there is no systemd.
func Ask(context.Context, string, ...string) (stdout, stderr string, err error) {
	return "", "", &UnavailableError{Found: "the Windows service manager"}
}
