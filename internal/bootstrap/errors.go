package bootstrap

import "errors"

// Why a state of things is refused, or was not reached.
var (
	ErrNotClean      = errors.New("it is not clean")
	ErrBusy          = errors.New("the runner is running a job")
	ErrNotSupervised = errors.New("no agent is running")
	ErrNoService     = errors.New("it has no service")
)
