package agent

import "errors"

// Why a runner is not kept, or what has gone wrong at its end.
var (
	ErrAccountAway = errors.New("the account is not known yet")
	ErrNotAlone    = errors.New("other processes run as the account of the jobs, and the runner waits until they have ended")
	ErrHangs       = errors.New("the supervisor hangs")
	ErrOnExit      = errors.New("the --on-exit command failed")
)
