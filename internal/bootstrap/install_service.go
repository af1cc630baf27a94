package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	// comeUp is how long a listener may take until it listens.
	comeUp   = 90 * time.Second
	lookEach = 200 * time.Millisecond
	logTail  = 10
	// hopeless is how many listeners in a row end at once until it is plain that
	// another one would as well.
	hopeless = 3
	// serviceFile is where GitHub's own installer leaves the unit's name.
	serviceFile = ".service"
)

// service puts the supervisor under the service manager and waits until the
// listener says that it listens. After a failure a service that was not there
// before is gone again.
func (i *installer) installService(ctx context.Context) (string, error) {
	if i.plan.ServiceName == "" {
		return "removed", i.removeService(ctx)
	}
	before, err := i.service.State(ctx)
	if err != nil {
		return "", err
	}
	if i.former.service == nil {
		i.former = former{service: i.service, ran: before.Up()}
	}
	i.record.Service = i.plan.ServiceName
	if err := i.note(ctx, instance.Registered); err != nil {
		return "", err
	}
	took, undoInstall, err := i.bringUp(ctx)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrService, err)
	}
	if err == nil {
		return "listening after " + took.Round(100*time.Millisecond).String(), nil
	}
	if before.Installed && ctx.Err() != nil {
		return "", err
	}
	if before.Installed {
		return "", i.putBack(ctx, before, undoInstall, err)
	}
	i.former = former{}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime+unitStop(i.record))
	defer cancel()
	return "", errors.Join(err, i.removeService(undo), i.reportFailure(err))
}

// reportFailure has status say why there is no listener: its supervisor knows only that
// it was asked to stop, which was our doing.
func (i *installer) reportFailure(failed error) error {
	report, alive, err := i.host.report(i.plan.Name)
	if err != nil || alive {
		return err
	}
	reason, _, _ := strings.Cut(failed.Error(), "\n")
	var start *StartError
	if errors.As(failed, &start) && start.Reason != "" {
		reason = start.Reason
	}
	report.State, report.Reason = instance.Ended, "install has failed: "+reason
	return i.host.Store.SaveReport(i.plan.Name, report)
}

// bringUp installs the unit, starts it anew and waits for its listener. Undo gives back
// the unit that was there before; it is nil where there was none, or the same.
func (i *installer) bringUp(ctx context.Context) (took time.Duration, undo func(context.Context) error, err error) {
	change, err := i.service.Install(ctx)
	if err != nil {
		return 0, nil, err
	}
	if err := register.WriteFile(i.plan.Dir, serviceFile, []byte(svc.StockName(i.plan.ServiceName)+"\n"), i.jobUser); err != nil {
		return 0, change.Undo, fmt.Errorf("writing the service's name: %w", err)
	}
	begin := time.Now()
	// What an earlier supervisor has reported says nothing of the one to come.
	before, err := i.host.Store.Running(i.plan.Name)
	if err != nil {
		return 0, change.Undo, err
	}
	if err := i.restart(ctx, before); err != nil {
		return 0, change.Undo, err
	}
	err = i.awaitListening(ctx)
	return time.Since(begin), change.Undo, err
}

// restart returns when the listener listens, after the stop of an earlier one; or
// when it is plain that it will not. The service manager would wait on, as its
// supervisor tries on.
func (i *installer) restart(ctx context.Context, before int) error {
	starting, cancel := context.WithTimeout(ctx, comeUp+unitStop(i.record))
	defer cancel()
	restarted := make(chan error, 1)
	go func() { restarted <- i.service.Restart(starting) }()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		select {
		case err := <-restarted:
			if err == nil || errors.Is(err, svc.ErrSandbox) {
				return err // of a sandbox: the listener was not even tried
			}
			report, _, reportErr := i.host.report(i.plan.Name)
			if ctx.Err() != nil || reportErr != nil {
				return errors.Join(err, reportErr)
			}
			refused := i.refused(report)
			refused.Cause = err
			return refused
		case <-tick.C:
		}
		report, alive, err := i.host.report(i.plan.Name)
		if err == nil && alive && report.PID != before && report.EndedAtOnce >= hopeless {
			cancel()
			<-restarted // it was given up
			return i.refused(report)
		}
	}
}

// refused says what the supervisor knows of a listener that did not come up.
func (i *installer) refused(report instance.Report) *StartError {
	e := &StartError{
		Service: i.plan.ServiceName, Reason: reasonOf(report), Words: report.LastWords, AtOnce: report.EndedAtOnce >= hopeless,
		Dir: i.plan.Dir, User: i.plan.User,
	}
	if report.Trouble != "" {
		e.Reason, e.Words = "it cannot connect to GitHub", report.TroubleWords
	}
	if report.Trouble == instance.Conflict {
		e.Reason, e.Words = report.TroubleWords, ""
	}
	return e
}

// dropService takes the service of the record away; gone already is done.
func (h *Host) dropService(ctx context.Context, record instance.Record) error {
	service, err := h.Services.Named(record.Service)
	if err != nil {
		return err
	}
	if err := service.Stop(ctx, svc.Gently); err != nil {
		return err
	}
	if _, err := service.Uninstall(ctx); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(record.Dir, serviceFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the service's name: %w", err)
	}
	return nil
}

func (i *installer) removeService(ctx context.Context) error {
	if err := i.host.dropService(ctx, i.record); err != nil {
		return err
	}
	i.record.Service = ""
	return i.note(ctx, instance.Registered)
}

// awaitListening waits for the supervisor's word. A unit that is active proves
// little: the listener may be refused again and again.
func (i *installer) awaitListening(ctx context.Context) error {
	limit := time.NewTimer(comeUp)
	defer limit.Stop()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		report, alive, err := i.host.report(i.plan.Name)
		if err != nil {
			return err
		}
		if alive && (report.State == instance.Idle || report.State == instance.Busy) {
			return nil
		}
		state, err := i.service.State(ctx)
		if err != nil {
			return err
		}
		if state.Active == svc.Stopped && report.State == instance.Ended && state.ExitStatus == 0 {
			return nil // an ephemeral runner may have done its job by now
		}
		if alive && report.EndedAtOnce >= hopeless {
			return i.refused(report)
		}
		if state.Active == svc.Failed || state.Active == svc.Stopped && report.State == instance.Ended {
			return i.startError(ctx, report)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the listener: %w", context.Cause(ctx))
		case <-limit.C:
			return i.startError(ctx, report)
		case <-tick.C:
		}
	}
}

func (i *installer) startError(ctx context.Context, report instance.Report) error {
	lines, err := i.service.Log(ctx, logTail)
	refused := i.refused(report)
	if refused.Words == "" {
		refused.Log = lines
	}
	return errors.Join(refused, err)
}

// reasonOf is why a listener does not listen. That it was asked to stop is the end of the
// one before.
func reasonOf(report instance.Report) string {
	if report.Reason == string(supervise.Stopped) {
		return ""
	}
	return report.Reason
}

// report is the latest word of the supervisor of name, and whether the one who
// gave it is alive.
func (h *Host) report(name string) (report instance.Report, alive bool, err error) {
	pid, err := h.Store.Running(name)
	if err != nil {
		return report, false, err
	}
	report, err = h.Store.LoadReport(name)
	return report, pid != 0 && pid == report.PID, err
}
