package agent

import "errors"

// Why a runner is not kept, or what has gone wrong at its end.
var (
	ErrAccountAway = errors.New("the account is not known yet")
	ErrHangs       = errors.New("the supervisor hangs")
	ErrOnExit      = errors.New("the --on-exit command failed")
)
