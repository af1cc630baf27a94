package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	comeUp   = instance.ComeUp
	lookEach = 200 * time.Millisecond
	logTail  = 10
	// hopeless is how many listeners in a row end at once until it is plain that
	// another one would as well.
	hopeless = 3
)

// startup brings one service up, and knows what is to be said where it does not come.
type startup struct {
	store   *instance.Store
	service Service
	record  instance.Record
	user    account.User // who jobs run as
}

// bringUp installs the unit, restarts it and waits for its listener. Undo gives back
// the unit that was there before; it is nil where there was none, or the same.
func (s startup) bringUp(ctx context.Context) (took time.Duration, undo func(context.Context) error, err error) {
	change, err := s.service.Install(ctx)
	if err != nil {
		return 0, nil, err
	}
	if err := register.WriteFile(s.record.Dir, serviceFile, []byte(svc.StockName(s.record.Service)+"\n"), s.user); err != nil {
		return 0, change.Undo, fmt.Errorf("writing the service's name: %w", err)
	}
	begin := time.Now()
	// What an earlier supervisor has reported says nothing of the one to come.
	before, err := s.store.Running(s.record.Name)
	if err != nil {
		return 0, change.Undo, err
	}
	if err := s.restart(ctx, before); err != nil {
		return 0, change.Undo, err
	}
	err = s.awaitListening(ctx)
	return time.Since(begin), change.Undo, err
}

// restart returns when the listener listens, after the stop of an earlier one; or
// when it is plain that it will not. The service manager would wait on, as its
// supervisor tries on.
func (s startup) restart(ctx context.Context, before instance.Holder) error {
	starting, cancel := context.WithTimeout(ctx, comeUp+plan.StopTimeout(s.record))
	defer cancel()
	restarted := make(chan error, 1)
	go func() { restarted <- s.service.Restart(starting) }()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		select {
		case err := <-restarted:
			if err == nil || errors.Is(err, svc.ErrSandbox) {
				return err // of a sandbox: the listener was not even tried
			}
			report, _, reportErr := instance.LastReport(s.store, s.record.Name)
			if ctx.Err() != nil || reportErr != nil {
				return errors.Join(err, reportErr)
			}
			refused := s.refused(report)
			refused.Cause = err
			return refused
		case <-tick.C:
		}
		report, alive, err := instance.LastReport(s.store, s.record.Name)
		if err == nil && alive && report.PID != before.PID && report.EndedAtOnce >= hopeless {
			cancel()
			<-restarted //nolint:errcheck // that it was given up is our own doing
			return s.refused(report)
		}
	}
}

// refused says what the supervisor knows of a listener that did not come up.
func (s startup) refused(report instance.Report) *StartError {
	e := &StartError{
		Service: s.record.Service, Reason: reasonOf(report), Words: report.LastWords, AtOnce: report.EndedAtOnce >= hopeless,
		Dir: s.record.Dir, User: s.record.User,
	}
	if report.Reason == supervise.ErrRegistrationEnd.Error() {
		e.Final = supervise.ErrRegistrationEnd // without a credential that its agent has, there is no way back
	}
	if report.Trouble != "" {
		e.Reason, e.Words = "it cannot connect to GitHub", report.TroubleWords
	}
	if report.Trouble == instance.Conflict {
		e.Reason, e.Words = report.TroubleWords, ""
	}
	return e
}

// awaitListening waits for the supervisor's word. A unit that is active proves
// little: the listener may be refused again and again.
func (s startup) awaitListening(ctx context.Context) error {
	limit := time.NewTimer(comeUp)
	defer limit.Stop()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		report, alive, err := instance.LastReport(s.store, s.record.Name)
		if err != nil {
			return err
		}
		if over, err := s.judge(ctx, report, alive); over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the listener: %w", context.Cause(ctx))
		case <-limit.C:
			return s.startError(ctx, report)
		case <-tick.C:
		}
	}
}

// judge tells from a report, and from what the service manager says, whether there is
// anything left to wait for.
func (s startup) judge(ctx context.Context, report instance.Report, alive bool) (over bool, err error) {
	if alive && (report.State == instance.Idle || report.State == instance.Busy) {
		return true, nil
	}
	if alive && report.State == instance.Drained && report.Reason != "" {
		return true, nil // it is on behalf of the machine, which is not in service, that it waits
	}
	state, err := s.service.State(ctx)
	ended := state.Active == svc.Stopped && report.State == instance.Ended
	switch {
	case err != nil:
		return true, err
	case ended && state.ExitStatus == 0:
		return true, nil // an ephemeral runner may have done its job by now
	case alive && report.EndedAtOnce >= hopeless:
		return true, s.refused(report)
	case ended || state.Active == svc.Failed:
		return true, s.startError(ctx, report)
	}
	return false, nil
}

func (s startup) startError(ctx context.Context, report instance.Report) error {
	lines, err := s.service.Log(ctx, logTail)
	refused := s.refused(report)
	if refused.Words == "" {
		refused.Log = lines
	}
	return errors.Join(refused, err)
}

// reportFailure has status say why there is no listener: its supervisor knows only that
// it was asked to stop, which was our doing.
func (s startup) reportFailure(failed error) error {
	report, alive, err := instance.LastReport(s.store, s.record.Name)
	if err != nil || alive {
		return err
	}
	reason, _, _ := strings.Cut(failed.Error(), "\n")
	var start *StartError
	if errors.As(failed, &start) && start.Reason != "" {
		reason = start.Reason
	}
	report.State, report.Reason = instance.Ended, "install has failed: "+reason
	return s.store.SaveReport(s.record.Name, report)
}

// reasonOf is why a listener does not listen. That it was asked to stop is the end of the
// one before.
func reasonOf(report instance.Report) string {
	if report.Reason == supervise.Stopped.Sentence() {
		return ""
	}
	return report.Reason
}
