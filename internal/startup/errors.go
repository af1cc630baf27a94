package startup

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Why a service is not what it was to be.
var (
	ErrService      = errors.New("the service could not be set up")
	ErrNotListening = errors.New("the listener did not come up")
)

// StartError says that a service was started and its listener did not come up.
type StartError struct {
	Service string
	Dir     string   // of the runner
	User    string   // that its listener runs as
	AtOnce  bool     // its listeners ended within seconds
	Reason  string   // the supervisor's, if it left one
	Words   string   // the listener's last
	Log     []string // the last lines of its log
	Cause   error    // what the service manager said, if it has refused
	Final   error    // why no other start would do better, where that is known
}

func (e *StartError) Error() string {
	text := fmt.Sprintf("starting service %q: %v", e.Service, ErrNotListening)
	switch {
	case e.AtOnce:
		text += fmt.Sprintf(": it ended at once, %d times in a row: %s", hopeless, e.Words)
	case e.Reason != "" && e.Words != "":
		text += ": " + e.Reason + ": " + e.Words
	case e.Reason != "":
		text += ": " + e.Reason
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	if len(e.Log) > 0 {
		text += "\n  " + strings.Join(e.Log, "\n  ")
	}
	return text
}

func (e *StartError) Unwrap() []error { return []error{ErrNotListening, e.Cause, e.Final} }

// HeldError says that a service has started, and that its runner takes no jobs, as something is wrong with this host.
type HeldError struct{ Service, Reason string }

func (e *HeldError) Error() string {
	return fmt.Sprintf("starting service %q: its runner takes no jobs: %s", e.Service, e.Reason)
}

// Unwrap is what no start mends.
func (e *HeldError) Unwrap() error { return syscall.EROFS }

// LeftError is a failure after something was changed: it says what it has left.
type LeftError struct {
	Left  string // a clause
	Cause error
}

// Error puts what is left before the lines of a log that the cause may carry.
func (e *LeftError) Error() string {
	first, log, found := strings.Cut(e.Cause.Error(), "\n")
	first += "; " + e.Left
	if found {
		return first + "\n" + log
	}
	return first
}

func (e *LeftError) Unwrap() error { return e.Cause }
