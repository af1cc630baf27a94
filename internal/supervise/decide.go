package supervise

import (
	"errors"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

// Why a listener will not be started again. Starting it again could not help.
var (
	ErrNotConfigured   = errors.New("the runner is not configured")
	ErrRegistrationEnd = errors.New("GitHub no longer knows this runner")
	ErrVersionRefused  = errors.New("GitHub no longer accepts this runner version")
	ErrNoListener      = errors.New("the listener cannot be started")
	ErrNothingNewer    = errors.New("there is no newer version")
)

// Exit codes of bin/Runner.Listener (actions/runner, Constants.Runner.ReturnCode).
const (
	codeSuccess           = 0
	codeTerminated        = 1
	codeRetryable         = 2
	codeUpdating          = 3
	codeUpdatingOnce      = 4
	codeSessionConflict   = 5
	codeRefreshed         = 6
	codeVersionDeprecated = 7
)

// ending is everything known about how a listener ended.
type ending struct {
	code       int // -1 when a signal ended it
	ephemeral  bool
	worked     bool // it ran a job
	gone       bool // it said that its registration was deleted
	deprecated bool // it said that its version is refused
	cleaned    bool // it said that it has deleted its registration
}

// action is what a supervisor does next.
type action struct {
	finished bool // the runner has done what it was for
	spent    bool // it was for one job, and has begun it
	fatal    error
	update   bool // wait for the self-update, then start again at once
	conflict bool // another session exists: wait long
	reason   string
}

// decide maps an ending to what is to be done. The stock wrappers turn nearly
// every code into success; here each has its meaning. What lies in the runner's
// directory has none: a job may have put it there.
func decide(e ending) action {
	switch {
	case e.code == codeVersionDeprecated, e.deprecated:
		return action{fatal: ErrVersionRefused}
	case e.code == codeSuccess && e.ephemeral && (e.worked || e.cleaned && !e.gone):
		// After its job GitHub deletes it, which it may notice before it ends.
		return action{finished: true}
	case e.gone:
		return action{fatal: ErrRegistrationEnd}
	case e.code == codeUpdating, e.code == codeUpdatingOnce:
		return action{update: true, reason: "the runner is updating itself"}
	case e.code == codeSessionConflict:
		return action{conflict: true, reason: "another session of this runner exists"}
	case e.code == codeSuccess && e.cleaned:
		// It does so when GitHub has deleted the runner.
		return action{fatal: ErrRegistrationEnd}
	}
	return action{reason: reasons(e.code), spent: e.ephemeral && e.worked}
}

// reasons says in words why a listener is started again after a while.
func reasons(code int) string {
	switch code {
	case codeSuccess:
		return "the listener ended its session"
	case codeTerminated:
		return "the listener gave up"
	case codeRetryable, codeRefreshed:
		return "the listener met an error that may pass"
	case -1:
		return "the listener was killed"
	default:
		return "the listener ended unexpectedly"
	}
}

// Backoff is how long to wait before a listener is started again.
type Backoff struct {
	retry.Backoff
	Healthy  time.Duration // after listening this long, First again
	Conflict time.Duration // after a session conflict: GitHub frees a lost session after minutes
	Update   time.Duration // the longest wait for a self-update
}

// DefaultBackoff bounds a listener that fails for ever to one start in five
// minutes.
func DefaultBackoff() Backoff {
	return Backoff{
		Backoff: retry.Backoff{First: 5 * time.Second, Most: 5 * time.Minute},
		Healthy: 10 * time.Minute, Conflict: 4 * time.Minute, Update: 15 * time.Minute,
	}
}
