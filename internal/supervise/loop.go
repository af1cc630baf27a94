package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// supervisor is the state of one Run.
type supervisor struct {
	Config
	ephemeral         bool
	needsRegistration bool
	life              jail.Life // the latest, until it is ended
	launched          time.Time // when the latest listener was
	awaited           time.Time // since when it is not stopped, as a job may have come; zero while it need not be
	updating          bool      // what is left of it is a self-update, which has its time without us as well
	failures          int       // in a row
	replaced          bool      // by a newer version, which has not proven itself
	used              bool      // a job has run in Root since that was made, and could have changed it
	mended            bool      // the listener could not be started, and what is there was mended
	stopState
	tracker
}

// loop leads the listener through its lives, until there is a reason to leave.
func (s *supervisor) loop(ctx context.Context) error {
	for {
		if s.stale && !s.draining() {
			s.stale = false // what is ordered meanwhile comes after it
			refresh(ctx, s)
		}
		if s.paused() && s.leaving == "" {
			reason, _ := s.held()
			s.change(func(now *Change) { now.State, now.Reason, now.Job = Drained, reason, "" })
		}
		s.await(ctx, nil, func() bool { return s.leaving != "" || !s.paused() })
		if s.leaving != "" {
			return nil
		}
		if s.stale {
			continue
		}
		if err := s.runOnce(ctx); err != nil {
			return err
		}
	}
}

// runOnce is one life of a listener, the registration that it may need included.
func (s *supervisor) runOnce(ctx context.Context) error {
	if ready, err := prepare(ctx, s); !ready {
		return err
	}
	started := time.Now()
	end, err := s.runListener(ctx)
	if err != nil {
		return notStarted(ctx, s, err)
	}
	s.mended = false
	next := decide(end)
	s.used = (s.used || end.worked) && !next.update
	s.countEnd(next, started)
	if s.listened() >= s.Backoff.Healthy || end.worked {
		s.failures, s.replaced = 0, false
	}
	return s.react(ctx, next, started)
}

// prepare sees to it that a listener can be started: that it is registered, that its files are those that were verified
// where a job may have changed them, and that no update is half done. It is false where something is to be done first, or
// was to be waited for.
func prepare(ctx context.Context, s *supervisor) (ready bool, err error) {
	if s.needsRegistration {
		if s.Renew == nil {
			return false, ErrNotConfigured
		}
		if !s.endLife(ctx) {
			s.fail(ctx, "what a job has left running cannot be ended, and could see the next registration", 0)
			return false, nil
		}
		s.renew(ctx)
		if s.needsRegistration || s.stopping() {
			return false, nil
		}
	}
	if s.ephemeral && s.used && s.Mend != nil && !mend(ctx, s) {
		return false, nil
	}
	if err := s.Kept.Give(s.User); err != nil {
		s.fail(ctx, err.Error(), 0)
		return false, nil
	}
	clearUpdate(s.Root)
	s.finishInterruptedUpdate(ctx)
	if s.Straighten != nil {
		s.Straighten()
	}
	return !s.stopping(), nil
}

// notStarted decides after a listener that could not be started: its files are mended once.
func notStarted(ctx context.Context, s *supervisor, err error) error {
	switch {
	case s.stopping():
		s.Log.Info("the listener was not started, as the runner is to stop", "reason", err)
		return nil
	case s.Mend != nil && !s.mended:
		s.Log.Warn("the listener cannot be started; its files are replaced by those that were verified", "error", err)
		s.mended = mend(ctx, s)
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNoListener, err)
}

// react does what the listener's end demands.
func (s *supervisor) react(ctx context.Context, next action, started time.Time) error {
	if next.spent && s.Renew != nil {
		// It was for one job, which it has begun: what it left, and its registration, are of no use for another.
		s.needsRegistration = true
	}
	switch {
	case next.finished:
		// GitHub has deleted an ephemeral runner that has done its job, so that its registration is of
		// no use any more, whatever the listener has made of its copy.
		if err := s.Kept.Forget(); err != nil {
			s.Log.Warn("cannot forget a registration that has done its job; GitHub will say so to the next listener", "error", err)
		}
		if s.needsRegistration = s.Renew != nil; !s.needsRegistration {
			s.leave(Served)
		}
		return nil
	case next.update:
		s.awaitSelfUpdate(ctx, next, started)
		return nil
	case s.leaving != "":
		return nil
	case errors.Is(next.fatal, ErrVersionRefused) && s.Replace != nil:
		return s.replace(ctx)
	case next.fatal != nil && (s.Renew == nil || errors.Is(next.fatal, ErrVersionRefused)):
		return next.fatal
	case next.fatal != nil:
		s.needsRegistration = true
		next.reason = next.fatal.Error()
		s.Log.Warn("the registration is of no use, registering again", "reason", next.reason)
		if s.failures == 0 {
			s.failures++ // the second time in a row it waits
			return nil
		}
	case s.paused(), s.stale:
		return nil
	}
	var minWait time.Duration
	if next.conflict && !s.endOrphans(ctx) {
		minWait = s.Backoff.Conflict
	}
	s.fail(ctx, next.reason, minWait)
	return nil
}

// fail waits after a failure, for minWait at least.
func (s *supervisor) fail(ctx context.Context, reason string, minWait time.Duration) {
	s.failures++
	wait := max(s.Backoff.Wait(s.failures), minWait)
	s.change(func(now *Change) { now.State, now.Reason, now.Job = Failing, reason, "" })
	s.Log.Warn("restarting the listener", "reason", reason, "in", wait, "failures", s.failures)
	s.pause(ctx, wait)
}

// renew tries once to have the runner registered again.
func (s *supervisor) renew(ctx context.Context) {
	// What the listener said before has led here, and tells nothing of a failure to come.
	s.change(func(now *Change) { now.State, now.Reason, now.Job, now.LastWords = Registering, "", "", "" })
	err := s.during(ctx, s.Renew)
	if err == nil {
		var settings register.Settings
		if settings, err = s.Kept.Settings(); err == nil {
			s.needsRegistration, s.ephemeral, s.used = false, settings.Ephemeral, false
			s.change(func(now *Change) { now.Registrations++ })
			s.Log.Info("registered again", "id", settings.ID)
			return
		}
	}
	if !s.stopping() {
		s.fail(ctx, err.Error(), 0)
	}
}

// refresh has the runner's files refreshed. One that fails leaves the runner at work as it is; one that an order to drain has broken off
// is done again afterwards.
func refresh(ctx context.Context, s *supervisor) {
	if s.updating {
		endUpdate(ctx, s)
	}
	if s.stale = s.updating; s.stale {
		return // it is to stop: its script has its time without us as well
	}
	s.change(func(now *Change) { now.State, now.Reason, now.Job = Updating, "its files are refreshed", "" })
	if err := s.during(ctx, s.Refresh); err != nil {
		s.stale = s.draining()
		s.Log.Warn("cannot renew the runner's files; it goes on as it is", "error", err)
	}
}

// endUpdate waits for the script of a self-update that was not waited for, as the runner was to stop: it works on the same files.
func endUpdate(ctx context.Context, s *supervisor) {
	settings, err := s.Kept.Settings()
	if err == nil {
		s.awaitScript(ctx, settings.Work)
	}
	if s.updating = s.stopping(); !s.updating {
		s.endLife(ctx)
	}
}

// mend tries once to have the runner's files replaced by those that were verified. It tells whether it has, and waits if not.
func mend(ctx context.Context, s *supervisor) bool {
	err := s.during(ctx, s.Mend)
	if err == nil {
		s.used = false
		return true
	}
	if !s.stopping() {
		s.fail(ctx, err.Error(), 0)
	}
	return false
}

// replace fetches a version that GitHub takes. GitHub has refused versions by
// mistake, so that there is none is no reason to give up.
func (s *supervisor) replace(ctx context.Context) error {
	s.change(func(now *Change) { now.State, now.Reason, now.Job = Updating, ErrVersionRefused.Error(), "" })
	err := s.during(ctx, s.Replace)
	switch {
	case errors.Is(err, ErrVersionRefused):
		return err // nobody may replace it any more
	case s.stopping():
	case err != nil:
		s.fail(ctx, fmt.Sprintf("%v: %v", ErrVersionRefused, err), 0)
	case s.replaced:
		s.fail(ctx, "GitHub has refused the version that replaced another as well", 0)
	default:
		s.replaced = true
	}
	return nil
}

// finishInterruptedUpdate waits for the update script of a listener whose supervisor was killed, and
// finishes what a script that was killed itself has begun.
func (s *supervisor) finishInterruptedUpdate(ctx context.Context) {
	if CheckListener(s.Root) == nil || !updated(s.Root) {
		return
	}
	_ = s.during(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, scriptTime)
		defer cancel()
		awaitListener(ctx, s.Root)
		return nil
	})
	linkNewest(s.Root)
}

// awaitSelfUpdate lets the update script of an ended listener do its work.
func (s *supervisor) awaitSelfUpdate(ctx context.Context, next action, started time.Time) {
	s.change(func(now *Change) { now.State, now.Reason, now.Job = Updating, next.reason, "" })
	s.failures = 0
	var finished bool
	// Files that are to be refreshed wait for it: its script works on the same ones. It returns no error: finished says how it has ended.
	_ = duringUntil(ctx, s, s.draining, func(ctx context.Context) error {
		finished = awaitUpdate(ctx, s.Root, started, s.Backoff.Update, s.life.Gone())
		return nil
	})
	s.Log.Info("self-update over", "finished", finished)
	if s.updating = !finished && s.draining(); !s.updating {
		s.endLife(ctx)
	}
}

// awaitScript lets the update script of a listener whose supervisor was killed
// finish: half an update is worse than a late start.
func (s *supervisor) awaitScript(ctx context.Context, work string) {
	script := filepath.Join(s.Root, cmp.Or(work, "_work"), "_update.sh")
	if filepath.IsAbs(work) {
		script = filepath.Join(work, "_update.sh")
	}
	absent, answered := folders.Soon(func() error { _, err := os.Lstat(script); return err }, func(error) {})
	if !answered {
		s.Log.Warn("cannot see whether an earlier listener still updates itself", "file", script, "error", folders.ErrSilent)
	}
	if !answered || absent != nil || !reaper.Scripted(script, s.User.UID) {
		return
	}
	s.change(func(now *Change) { now.State, now.Reason = Updating, "the update of an earlier listener goes on" })
	_ = s.during(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, s.Backoff.Update)
		defer cancel()
		tick := time.NewTicker(updatePoll)
		defer tick.Stop()
		for reaper.Scripted(script, s.User.UID) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
		return nil
	})
}

// endOrphans ends listeners of this runner that nobody supervises any more: they
// hold its session. It tells whether there were any.
func (s *supervisor) endOrphans(ctx context.Context) bool {
	ended, err := reaper.EndOrphans(context.WithoutCancel(ctx), s.Root, s.User.UID, s.Previous, s.StopTimeout)
	if err != nil {
		s.Log.Warn("cannot end a listener that nobody supervises", "error", err)
	}
	if ended > 0 {
		s.Log.Info("ended what an earlier supervisor has left running", "processes", ended)
	}
	return ended > 0
}
