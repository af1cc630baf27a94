// Package startup brings the service of a runner up and waits until its listener listens. Where that fails, it says why, and
// what worked before works again.
package startup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// serviceFile is where GitHub's own installer leaves the unit's name.
const serviceFile = ".service"

// Startup brings one service up, and knows what is to be said where it does not come.
type Startup struct {
	Store   *instance.Store
	Service Service
	Record  instance.Record
	User    account.User // who jobs run as
}

// BringUp installs the unit, restarts it and waits for its listener. Undo gives back
// the unit that was there before; it is nil where there was none, or the same.
func (s Startup) BringUp(ctx context.Context) (took time.Duration, undo func(context.Context) error, err error) {
	change, err := s.Service.Install(ctx)
	if err != nil {
		return 0, nil, err
	}
	if err := register.WriteFile(s.Record.Dir, serviceFile, []byte(svc.StockName(s.Record.Service)+"\n"), s.User); err != nil {
		return 0, change.Undo, fmt.Errorf("writing the service's name: %w", err)
	}
	begin := time.Now()
	// What an earlier supervisor has reported says nothing of the one to come.
	before, err := s.Store.Running(s.Record.Name)
	if err != nil {
		return 0, change.Undo, err
	}
	if err := s.Restart(ctx, before); err != nil {
		return 0, change.Undo, err
	}
	err = s.AwaitListening(ctx)
	return time.Since(begin), change.Undo, err
}

// Restart returns when the listener listens, after the stop of an earlier one; or
// when it is plain that it will not. The service manager would wait on, as its
// supervisor tries on.
func (s Startup) Restart(ctx context.Context, before instance.Holder) error {
	starting, cancel := context.WithTimeout(ctx, comeUp+plan.StopTimeout(s.Record))
	defer cancel()
	restarted := make(chan error, 1)
	go func() { restarted <- s.Service.Restart(starting) }()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		select {
		case err := <-restarted:
			if err == nil || errors.Is(err, svc.ErrSandbox) {
				return err // of a sandbox: the listener was not even tried
			}
			report, _, reportErr := instance.LastReport(s.Store, s.Record.Name)
			if ctx.Err() != nil || reportErr != nil {
				return errors.Join(err, reportErr)
			}
			refused := s.refused(report)
			refused.Cause = err
			return refused
		case <-tick.C:
		}
		report, alive, err := instance.LastReport(s.Store, s.Record.Name)
		if err == nil && alive && report.PID != before.PID && report.EndedAtOnce >= hopeless {
			cancel()
			<-restarted //nolint:errcheck // that it was given up is our own doing
			return s.refused(report)
		}
	}
}

// refused says what the supervisor knows of a listener that did not come up.
func (s Startup) refused(report instance.Report) *StartError {
	e := &StartError{
		Service: s.Record.Service, Reason: reasonOf(report), Words: report.LastWords, AtOnce: report.EndedAtOnce >= hopeless,
		Dir: s.Record.Dir, User: s.Record.User,
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

// AwaitListening waits for the supervisor's word. A unit that is active proves
// little: the listener may be refused again and again.
func (s Startup) AwaitListening(ctx context.Context) error {
	limit := time.NewTimer(comeUp)
	defer limit.Stop()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		report, alive, err := instance.LastReport(s.Store, s.Record.Name)
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
func (s Startup) judge(ctx context.Context, report instance.Report, alive bool) (over bool, err error) {
	if alive && report.Faulty {
		return true, &HeldError{Service: s.Record.Service, Reason: report.Reason}
	}
	if alive && (report.State == instance.Idle || report.State == instance.Busy) {
		return true, nil
	}
	if alive && report.State == instance.Drained && report.Reason != "" {
		return true, nil // it is on behalf of the machine, which is not in service, that it waits
	}
	state, err := s.Service.State(ctx)
	if err == nil && (state.Active == svc.Stopped || state.Active == svc.Failed) {
		// What the supervisor has said before its end may have come after the report was read.
		report, alive, err = instance.LastReport(s.Store, s.Record.Name)
	}
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

func (s Startup) startError(ctx context.Context, report instance.Report) error {
	lines, err := s.Service.Log(ctx, logTail)
	refused := s.refused(report)
	if refused.Words == "" {
		refused.Log = lines
	}
	return errors.Join(refused, err)
}

// ReportFailure has status say why there is no listener: its supervisor knows only that
// it was asked to stop, which was our doing.
func (s Startup) ReportFailure(failed error) error {
	report, alive, err := instance.LastReport(s.Store, s.Record.Name)
	if err != nil || alive {
		return err
	}
	reason, _, _ := strings.Cut(failed.Error(), "\n")
	var start *StartError
	if errors.As(failed, &start) && start.Reason != "" {
		reason = start.Reason
	}
	report.State, report.Reason = instance.Ended, "install has failed: "+reason
	return s.Store.SaveReport(s.Record.Name, report)
}

// reasonOf is why a listener does not listen. That it was asked to stop is the end of the
// one before.
func reasonOf(report instance.Report) string {
	if report.Reason == supervise.Stopped.Sentence() {
		return ""
	}
	return report.Reason
}

// Drop takes the service of the record away; gone already is done.
func Drop(ctx context.Context, services Services, record instance.Record, how svc.StopMode) error {
	service, err := services.Named(record.Service)
	if err != nil {
		return err
	}
	if err := service.Stop(ctx, how); err != nil {
		return err
	}
	if _, err := service.Uninstall(ctx); err != nil {
		return err
	}
	if err := register.RemoveFiles(record.Dir, serviceFile); err != nil {
		return fmt.Errorf("removing the service's name: %w", err)
	}
	return nil
}

// WarnOfConfinement says what keeps jobs from the host less than it could be, as the agent has found.
func (s Startup) WarnOfConfinement(log *slog.Logger) {
	report, _, err := instance.LastReport(s.Store, s.Record.Name)
	if err == nil && report.Weaker != "" { // that it cannot be read is told by those who need it
		log.Warn("jobs are confined less than they could be", "by", report.ConfinedBy, "reason", report.Weaker)
	}
}
