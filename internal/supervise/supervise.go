// Package supervise keeps one runner listener alive: it starts
// bin/Runner.Listener as the runner's account, understands how it ends, and
// stops it as GitHub's own service does.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// State is what a listener is doing, in the words that status prints.
type State string

// The states of a listener.
const (
	Starting  State = "starting"  // started, not connected yet
	Listening State = "listening" // connected, waiting for a job
	Working   State = "working"   // running a job
	Updating  State = "updating"  // replacing itself by a newer version
	Waiting   State = "waiting"   // ended, to be started again after a while
	Ended     State = "ended"     // ended for good
)

// Change is one change of a listener's state.
type Change struct {
	State    State
	Version  string // of the runner, once it has told
	Job      string // set while Working
	ExitCode *int   // the latest, -1 for a signal
	Reason   string // why it waits or has ended
	Starts   int    // how often it was started
}

// Config says what is supervised, and how.
type Config struct {
	Root string
	User account.User
	// StopTimeout is how long a listener may take to cancel its job and end
	// before it is killed.
	StopTimeout time.Duration
	Backoff     Backoff
	Log         *slog.Logger
	// Report is called at each change, from one goroutine at a time.
	Report func(Change)
}

// Run keeps the listener of the configured runner in Root running until ctx
// ends, an ephemeral runner has done its job, or no further start can help.
// The first two are successes; the third returns an error that matches one of
// this package's sentinels. No process of the listener's is left when it
// returns, but that of a self-update.
func Run(ctx context.Context, c Config) error {
	settings, err := register.ReadSettings(c.Root)
	if errors.Is(err, register.ErrNotConfigured) {
		return fmt.Errorf("supervising the runner in %q: %w", c.Root, ErrNotConfigured)
	}
	if err != nil {
		return fmt.Errorf("supervising the runner: %w", err)
	}
	s := &supervisor{Config: c, ephemeral: settings.Ephemeral}
	err = s.loop(ctx)
	reason := "stopped"
	if err != nil {
		reason = err.Error()
	} else if ctx.Err() == nil {
		reason = "the ephemeral runner has done its job"
	}
	s.change(func(now *Change) { now.State, now.Reason, now.Job = Ended, reason, "" })
	if err != nil {
		return fmt.Errorf("supervising runner %q: %w", settings.Name, err)
	}
	return nil
}

// supervisor is the state of one Run.
type supervisor struct {
	Config
	ephemeral bool
	failures  int // in a row
	tracker
}

func (s *supervisor) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		clearUpdate(s.Root)
		started := time.Now()
		end, err := s.once(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNoListener, err)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // to be stopped is no failure
		}
		next := decide(end)
		if next.finished || next.fatal != nil {
			return next.fatal
		}
		if s.listened() >= s.Backoff.Healthy {
			s.failures = 0
		}
		s.pause(ctx, next, started)
	}
	return nil
}

// pause waits as the action demands.
func (s *supervisor) pause(ctx context.Context, next action, started time.Time) {
	if next.update {
		s.change(func(now *Change) { now.State, now.Reason, now.Job = Updating, next.reason, "" })
		s.failures = 0
		finished := awaitUpdate(ctx, s.Root, started, s.Backoff.Update)
		s.Log.Info("self-update over", "finished", finished)
		return
	}
	s.failures++
	wait := s.Backoff.wait(s.failures)
	if next.conflict {
		wait = max(wait, s.Backoff.Conflict)
	}
	s.change(func(now *Change) { now.State, now.Reason, now.Job = Waiting, next.reason, "" })
	s.Log.Warn("listener ended, starting it again", "reason", next.reason, "wait", wait, "failures", s.failures)
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}
