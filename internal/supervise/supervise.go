// Package supervise keeps one runner listener alive: it starts
// bin/Runner.Listener in a jail, understands how it ends, has the
// runner registered again where that is needed, lets a running job finish when it
// is to stop, and stops the listener as GitHub's own service does.
package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// State is what a listener is doing; the words are those of reports.
type State = instance.State

// The states of a listener.
const (
	Starting     = instance.Starting
	Connecting   = instance.Connecting
	Conflict     = instance.Conflict
	Registering  = instance.Reregistering
	Idle         = instance.Idle
	Reconnecting = instance.Reconnecting
	Busy         = instance.Busy
	Updating     = instance.Updating
	Failing      = instance.Failing
	Drained      = instance.Drained
	Ended        = instance.Ended
)

// Change is one change of a listener's state.
type Change struct {
	// State is what the listener does; [Change.Shown] also heeds what it cannot do.
	State         State
	Trouble       Trouble // what it has said of its connection; zero while that is well
	Draining      bool    // it is to take no further job
	Faulty        bool    // as something is wrong with this host, see [Order]
	Version       string  // of the runner, once it has told
	Job           string  // set while Busy
	ExitCode      *int    // the latest, -1 for a signal
	Reason        string  // why it fails, drains or has ended
	Outcome       Outcome // set with Ended, unless that is an error
	Starts        int     // how often it was started
	Registrations int     // how often it was registered again
	Results       Results
	Listener      reaper.Process // the latest one
	// LastWords is how the latest listener that has ended did so, and the end of what it
	// printed; bounded, in one line.
	LastWords string
	// EndedAtOnce counts the listeners in a row that ended within seconds without a
	// word of the network: what ends those does not pass by itself.
	EndedAtOnce int
}

// Trouble is a connection to GitHub that a listener has lost, or never had.
type Trouble struct {
	State State // Connecting, Reconnecting or Conflict; empty for none
	Since time.Time
	Words string // the listener's
}

// Shown is the state as the outside is told it: one that cannot reach GitHub is
// not idle. A job goes on without it for a while.
func (c Change) Shown() State {
	if c.Trouble.State != "" && (c.State == Starting || c.State == Idle) {
		return c.Trouble.State
	}
	return c.State
}

// Results counts the jobs that have ended.
type Results struct{ Succeeded, Failed, Canceled int }

// Total counts them all.
func (r Results) Total() int { return r.Succeeded + r.Failed + r.Canceled }

// Limits end a runner of its own accord; zero is no limit.
type Limits struct {
	Jobs     int
	Idle     time.Duration // without a job
	Lifetime time.Duration // since Run; a running job may finish
}

// Jail confines a listener: [jail.Maker] says what each method holds to.
type Jail interface {
	Start(ctx context.Context, spec jail.Spec) (jail.Life, error)
	EndStale(ctx context.Context, name string) error
}

// Config says what is supervised, and how.
type Config struct {
	Root string
	User account.User
	// Kept is the registration of the runner in Root. The listener is given a copy of it
	// before each start; what becomes of that tells nothing.
	Kept register.Kept
	// Environment ("KEY=VALUE") is what the listener has to be started with, since it
	// is too late when it loads .env: whom it trusts, above all.
	Environment []string
	// StopTimeout is how long a listener may take to cancel its job and end
	// before it is killed.
	StopTimeout time.Duration
	// DrainTimeout is how long a running job may go on when the runner is to stop.
	DrainTimeout time.Duration
	Backoff      Backoff
	Limits       Limits
	// Jail starts the listener, each time in a life of its own, with which all that comes
	// from it is ended. Life is what is the same each time: its name, and what it sees.
	Jail Jail
	Life jail.Spec
	// Previous is the listener of a supervisor that was killed, as far as known.
	Previous reaper.Process
	Log      *slog.Logger
	// Report is called at each change, from one goroutine at a time.
	Report func(Change)
	// Orders asks for what the end of the context cannot say; may be nil.
	Orders <-chan Order
	// Held is why no listener is to be started, nor the runner registered again, until there is an order to Release; empty: it is.
	Held string
	// Beat is called at least each BeatEach while the supervisor is in order.
	Beat     func()
	BeatEach time.Duration
	Upkeep
}

// Upkeep is what is done to the runner in Root between two of its listeners.
type Upkeep struct {
	// Used says that Root may hold something else than it is to: a job of an earlier supervisor's may have changed it.
	Used bool
	// Renew registers the runner in Root again, where that is needed: after the job
	// of an ephemeral one, or when GitHub has lost it. It may be repeated after a
	// failure. nil: there is no way.
	Renew func(context.Context) error
	// Mend puts the runner's files as they were verified into Root again, where a listener cannot be started from
	// there, or a job of an ephemeral one could have changed them. It may be repeated after a failure. nil: there is no way.
	Mend func(context.Context) error
	// Replace puts a version into Root that GitHub takes; [ErrNothingNewer] if
	// there is none. nil: there is no way.
	Replace func(context.Context) error
	// Refresh changes the files in Root while no listener runs, when it was ordered; nil: there is nothing to order. After a
	// failure they are as before, or as they were to be.
	Refresh func(context.Context) error
	// Stale says that they are to be refreshed before the first listener.
	Stale bool
	// Straighten is called before each listener; nil: there is nothing that a job could have put in its way.
	Straighten func()
}

// Outcome is [instance.Outcome].
type Outcome = instance.Outcome

// The outcomes.
const (
	Stopped   = instance.Stopped
	Preempted = instance.Preempted
	Served    = instance.Served
	Unused    = instance.Unused
	Aged      = instance.Aged
)

// Run keeps the listener of the runner in Root running until ctx or an order ends
// it, a limit is reached, an ephemeral runner that cannot be registered again has
// done its job, or no further start can help. The last returns an error that
// matches one of this package's sentinels. When it ends while a job runs, that
// may go on for the drain timeout. No process of the listener's is left when it
// returns, but that of a self-update.
func Run(ctx context.Context, c Config) (Outcome, error) {
	settings, err := c.Kept.Settings()
	missing := errors.Is(err, register.ErrNotConfigured)
	if missing && c.Renew == nil {
		return "", fmt.Errorf("supervising the runner in %q: %w", c.Root, ErrNotConfigured)
	}
	if err != nil && !missing {
		return "", fmt.Errorf("supervising the runner: %w", err)
	}
	s := &supervisor{
		Config: c, ephemeral: settings.Ephemeral, needsRegistration: missing, used: c.Used,
		stopState: stopState{born: time.Now(), stale: c.Stale && c.Refresh != nil},
		tracker:   tracker{log: c.Log, report: c.Report, changed: make(chan struct{}, 1)},
	}
	s.awaitScript(ctx, settings.Work)
	// What a supervisor that was killed has left may still go on.
	err = s.during(ctx, func(ctx context.Context) error { return c.Jail.EndStale(ctx, c.Life.Name) })
	if err != nil && !s.stopping() {
		c.Log.Warn("cannot end what an earlier supervisor has left running", "error", err)
	}
	s.endOrphans(ctx)
	if c.Held != "" {
		s.hold(hold{reason: c.Held})
		s.change(func(now *Change) { now.Draining = true })
	}
	err = s.loop(ctx)
	if !s.updating {
		s.endLife(ctx)
	}
	outcome, reason := s.leaving, endReason(s)
	if err != nil {
		outcome, reason = "", err.Error()
	}
	if outcome.Own() {
		c.Log.Info("finished", "reason", reason)
	}
	s.change(func(now *Change) {
		now.State, now.Outcome, now.Reason, now.Job, now.Draining = Ended, outcome, reason, "", false
	})
	if err != nil {
		return "", fmt.Errorf("supervising runner %q: %w", cmp.Or(settings.Name, filepath.Base(c.Root)), err)
	}
	return s.leaving, nil
}
