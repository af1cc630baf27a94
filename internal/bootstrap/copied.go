package bootstrap

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// removeCopy takes away from this host what it has brought of another machine's runner, and says so. GitHub is neither asked
// nor told: what it lists is the other machine's.
func (u *uninstaller) removeCopy(ctx context.Context, copied error) error {
	if !errors.Is(copied, machine.ErrCopied) {
		return copied
	}
	u.host.Log.Warn("GitHub is not told: the runner that it lists is of another machine, and stays there",
		"runner", u.record.Name, "id", u.record.RunnerID, "reason", copied.Error())
	for _, step := range []struct {
		phase  plan.Phase
		object string
		do     func(context.Context) (string, error)
	}{
		{plan.StopPhase, u.record.Name, u.stop},
		{plan.ServicePhase, u.record.Service, u.removeService},
		{plan.RemovePhase, u.record.Dir, u.removeFiles},
	} {
		if step.object == "" {
			continue
		}
		if err := u.host.phase(step.phase, step.object, func() (string, error) { return step.do(ctx) }); err != nil {
			return u.leftBy(step.phase, err)
		}
	}
	return nil
}

// forget takes away what this host has brought of other machines' runners.
func forget(ctx context.Context, i *installer) (string, error) {
	for _, record := range i.details.Copied {
		u := &uninstaller{host: i.host, removal: Removal{Name: record.Name, Force: true}, record: record, lock: i.lock}
		if record.Service != "" {
			if err := startup.Drop(ctx, i.host.Services, record, svc.Now); err != nil {
				return "", err
			}
		}
		if _, err := u.removeFiles(ctx); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("removed here, and left as it is at GitHub (%s)", idsOf(i.details.Copied)), nil
}

func idsOf(records []instance.Record) string {
	words := ""
	for i, record := range records {
		if i > 0 {
			words += ", "
		}
		words += fmt.Sprintf("id %d", record.RunnerID)
	}
	return words
}
