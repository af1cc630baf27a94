package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	// comeUp is how long a listener may take until it listens.
	comeUp   = 90 * time.Second
	lookEach = 200 * time.Millisecond
	logTail  = 10
	// serviceFile is where GitHub's own installer leaves the unit's name.
	serviceFile = ".service"
)

// service puts the supervisor under the service manager and waits until the
// listener says that it listens. After a failure a service that was not there
// before is gone again.
func (i *installer) service(ctx context.Context) (string, error) {
	if i.Service == "" {
		return "removed", i.removeService(ctx)
	}
	before, err := i.unit.State(ctx)
	if err != nil {
		return "", err
	}
	i.record.Service = i.Service
	if err := i.note(ctx, instance.Registered); err != nil {
		return "", err
	}
	took, err := i.bringUp(ctx)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrService, err)
	}
	if err == nil {
		return "listening after " + took.Round(100*time.Millisecond).String(), nil
	}
	if before.Installed {
		return "", err
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime+unitStop(i.record))
	defer cancel()
	return "", errors.Join(err, i.removeService(undo))
}

// bringUp installs the unit, starts it anew and waits for its listener.
func (i *installer) bringUp(ctx context.Context) (time.Duration, error) {
	if _, err := i.unit.Install(ctx); err != nil {
		return 0, err
	}
	if err := register.WriteFile(i.Dir, serviceFile, []byte(i.Service+".service\n"), i.jobUser); err != nil {
		return 0, fmt.Errorf("writing the service's name: %w", err)
	}
	begin := time.Now()
	// It returns when the listener listens, after the stop of an earlier one.
	starting, cancel := context.WithTimeout(ctx, comeUp+unitStop(i.record))
	defer cancel()
	if err := i.unit.Restart(starting); err != nil {
		if errors.Is(err, svc.ErrSandbox) {
			return 0, err // the listener was not even tried
		}
		report, _, reportErr := i.report(i.Name)
		if ctx.Err() != nil || reportErr != nil {
			return 0, errors.Join(err, reportErr)
		}
		return 0, &StartError{Service: i.Service, Reason: report.Reason, Cause: err}
	}
	err := i.awaitListening(ctx)
	return time.Since(begin), err
}

// dropService takes the service of the record away; gone already is done.
func (h *Host) dropService(ctx context.Context, record instance.Record) error {
	service, err := svc.Named(record.Service)
	if err != nil {
		return err
	}
	if err := service.Stop(ctx); err != nil {
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
	if err := i.dropService(ctx, i.record); err != nil {
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
		report, alive, err := i.report(i.Name)
		if err != nil {
			return err
		}
		if alive && (report.State == instance.Idle || report.State == instance.Busy) {
			return nil
		}
		state, err := i.unit.State(ctx)
		if err != nil {
			return err
		}
		if state.Active == svc.Stopped && report.State == instance.Ended && state.ExitStatus == 0 {
			return nil // an ephemeral runner may have done its job by now
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
	lines, err := i.unit.Log(ctx, logTail)
	return errors.Join(&StartError{Service: i.Service, Reason: report.Reason, Log: lines}, err)
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
