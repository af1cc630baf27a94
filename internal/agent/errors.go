package agent

import "errors"

// Why a runner is not kept, or what has gone wrong at its end.
var (
	ErrAccountAway = errors.New("the account is not known yet")
	ErrOnExit      = errors.New("what is to happen on exit has failed")
)
