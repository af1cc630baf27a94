package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

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
	if i.former.Service == nil {
		i.former.Service, i.former.Ran = i.service, before.Up()
	}
	i.record.Service = i.plan.ServiceName
	if err := i.note(ctx, instance.Registered); err != nil {
		return "", err
	}
	start := startup.Startup{Store: i.host.Store, Service: i.service, Record: i.record, User: i.jobUser}
	took, undoInstall, err := start.BringUp(ctx)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", startup.ErrService, err)
	}
	if err == nil {
		start.WarnOfConfinement(i.host.Log)
		if reason := waits(i); reason != "" {
			return "waiting: " + reason, nil
		}
		return "listening after " + took.Round(100*time.Millisecond).String(), nil
	}
	if before.Installed && ctx.Err() != nil {
		return "", err
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), startup.UndoTime+plan.StopTimeout(i.record))
	defer cancel()
	if before.Installed {
		return "", i.former.PutBack(undo, i.service, before.Up(), undoInstall, err)
	}
	i.former.Ran = false // it was not there before, and is to go
	return "", errors.Join(err, i.removeService(undo), start.ReportFailure(err))
}

func (i *installer) removeService(ctx context.Context) error {
	if err := startup.Drop(ctx, i.host.Services, i.record, svc.Gently); err != nil {
		return err
	}
	i.record.Service = ""
	return i.note(ctx, instance.Registered)
}

func (u *uninstaller) removeService(ctx context.Context) (string, error) {
	if err := startup.Drop(ctx, u.host.Services, u.record, svc.Gently); err != nil {
		return "", err
	}
	if err := account.DropProfile(ctx, u.record.User); err != nil { // which keeps no other runner from anything
		u.host.Log.Warn("cannot remove the profile that Windows has made for jobs", "account", u.record.User, "error", err)
	}
	return "removed", nil
}
