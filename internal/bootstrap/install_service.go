package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// serviceFile is where GitHub's own installer leaves the unit's name.
const serviceFile = ".service"

// installService puts the supervisor under the service manager and waits until the
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
		i.former.service, i.former.ran = i.service, before.Up()
	}
	i.record.Service = i.plan.ServiceName
	if err := i.note(ctx, instance.Registered); err != nil {
		return "", err
	}
	start := startup{store: i.host.Store, service: i.service, record: i.record, user: i.jobUser}
	took, undoInstall, err := start.bringUp(ctx)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrService, err)
	}
	if err == nil {
		start.warnOfConfinement(i.host.Log)
		if reason := waits(i); reason != "" {
			return "waiting: " + reason, nil
		}
		return "listening after " + took.Round(100*time.Millisecond).String(), nil
	}
	if before.Installed && ctx.Err() != nil {
		return "", err
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime+plan.StopTimeout(i.record))
	defer cancel()
	if before.Installed {
		return "", i.former.putBack(undo, i.service, before.Up(), undoInstall, err)
	}
	i.former.ran = false // it was not there before, and is to go
	return "", errors.Join(err, i.removeService(undo), start.reportFailure(err))
}

// dropService takes the service of the record away; gone already is done.
func dropService(ctx context.Context, services Services, record instance.Record, how svc.StopMode) error {
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

func (i *installer) removeService(ctx context.Context) error {
	if err := dropService(ctx, i.host.Services, i.record, svc.Gently); err != nil {
		return err
	}
	i.record.Service = ""
	return i.note(ctx, instance.Registered)
}

func (u *uninstaller) removeService(ctx context.Context) (string, error) {
	if err := dropService(ctx, u.host.Services, u.record, svc.Gently); err != nil {
		return "", err
	}
	if err := account.DropProfile(ctx, u.record.User); err != nil { // which keeps no other runner from anything
		u.host.Log.Warn("cannot remove the profile that Windows has made for jobs", "account", u.record.User, "error", err)
	}
	return "removed", nil
}

// warnOfConfinement says what keeps jobs from the host less than it could be, as the agent has found.
func (s startup) warnOfConfinement(log *slog.Logger) {
	report, _, err := instance.LastReport(s.store, s.record.Name)
	if err == nil && report.Weaker != "" { // that it cannot be read is told by those who need it
		log.Warn("jobs are confined less than they could be", "by", report.ConfinedBy, "reason", report.Weaker)
	}
}
