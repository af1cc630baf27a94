package svc

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnavailable says that this host has no service manager that the package can use. The error in hand is
// then an [*UnavailableError], which names what was found.
var ErrUnavailable = errors.New("only systemd is supported so far")

// UnavailableError names what this host has in the place of a running systemd.
type UnavailableError struct {
	Found string // for example "OpenRC", or "a container without an init system"
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("looking for a service manager: found %s; %v", e.Found, ErrUnavailable)
}

// Is makes errors.Is(err, ErrUnavailable) hold.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Error is what the service manager answered when it refused.
type Error struct {
	Op     string // what was being done, for example "starting"
	Unit   string // with ".service"
	Output string // what its program said, and the end of the unit's log where that explains more; may be empty
	Err    error  // how its program ended
}

// Error is one line for the fact and, indented under it, one for each of Output's.
func (e *Error) Error() string {
	message := fmt.Sprintf("%s %s %q: %v", e.Op, Noun, e.Unit, e.Err)
	if e.Output == "" {
		return message
	}
	return message + "\n\t" + strings.ReplaceAll(e.Output, "\n", "\n\t")
}

// Unwrap returns how the service manager's program ended.
func (e *Error) Unwrap() error { return e.Err }

// ErrUnfit says that the service manager cannot have a service as it is described. The error in hand is then an [*UnfitError].
var ErrUnfit = errors.New("the service manager cannot have such a service")

// UnfitError says what about a service its manager would take for something else, or cannot take.
type UnfitError struct {
	Unit    string
	Program string // the service's, where nothing is wrong but that; else empty
	Err     error
}

func (e *UnfitError) Error() string { return fmt.Sprintf("describing service %q: %v", e.Unit, e.Err) }

// Is makes errors.Is(err, ErrUnfit) hold.
func (e *UnfitError) Is(target error) bool { return target == ErrUnfit }

// Unwrap returns what is wrong.
func (e *UnfitError) Unwrap() error { return e.Err }

// Check has a service manager check the description of a service. Harmless is a program that it finds nothing wrong with. The error is
// an [*UnfitError].
func Check(u Unit, harmless string, check func(Unit) error) error {
	err := check(u)
	if err == nil {
		return nil
	}
	unfit := &UnfitError{Unit: u.Name, Err: err}
	other := u
	if other.Executable = harmless; check(other) == nil {
		unfit.Program = u.Executable
	}
	return unfit
}
