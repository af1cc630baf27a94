package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// look finds out what there is to take away, and refuses what must not be.
func (u *uninstaller) look(ctx context.Context) error {
	settings, err := u.kept().Settings()
	u.id, u.configured = u.record.RunnerID, false
	// What is kept is never older than the record's id: it is kept first, and noted then.
	if err == nil && (settings.ID == u.id || strings.EqualFold(settings.Name, u.record.Name)) {
		u.id, u.configured = settings.ID, settings.URL != ""
	}
	if err := u.refuseBusy(); err != nil {
		return err
	}
	u.never = u.id == 0 && !register.Unconfirmed(u.record) && len(u.record.PendingDeletes) == 0
	if u.removal.SkipGitHub || u.never && u.host.Connect == nil {
		return nil
	}
	scope, err := register.ScopeOf(u.record)
	if err != nil {
		return err
	}
	if u.host.Connect == nil && u.kept().Spent() {
		return nil // GitHub has deleted it after its job
	}
	if u.host.Connect == nil && u.configured && !u.removal.RemoveToken.Empty() {
		u.listed = true
		return u.refuseEmptyCache(scope)
	}
	if u.host.Connect == nil {
		return &refusal.Error{
			Object: fmt.Sprintf("removing runner %q", u.removal.Name), Reason: github.ErrNoCredential, Name: u.removal.Name, Scope: scope,
			Detail: "give --token-file, or --remove-token-file, or leave GitHub as it is with --local",
		}
	}
	u.client = u.host.Connect(scope)
	if u.never {
		return nil
	}
	return u.lookAtGitHub(ctx, scope)
}

// refuseEmptyCache is for a remove token alone: only the runner's own program takes it, and
// that is never one from the runner's directory.
func (u *uninstaller) refuseEmptyCache(scope github.Scope) error {
	if _, cached := u.host.cached(u.record); cached {
		return nil
	}
	return &refusal.Error{
		Object: fmt.Sprintf("removing runner %q by a remove token", u.removal.Name), Reason: register.ErrNoProgram,
		Name: u.removal.Name, Scope: scope,
	}
}

// lookAtGitHub finds the runner in GitHub's list, and refuses one that runs a job.
func (u *uninstaller) lookAtGitHub(ctx context.Context, scope github.Scope) error {
	// A list that shows the scope's runners also proves that the credential may
	// see them; a single runner's 404 would not.
	runners, err := u.client.Runners(ctx, u.record.Name)
	if err != nil {
		return err
	}
	for _, runner := range runners {
		switch {
		case runner.ID == u.id, u.id == 0 && register.Claims(u.record, runner):
			u.id, u.listed = runner.ID, true
		case runner.ID != u.record.RunnerID:
			continue
		}
		if u.elsewhere = u.elsewhere || heldElsewhere(u, runner); u.elsewhere {
			continue
		}
		if runner.Busy && !u.removal.Force && !u.stopped {
			return &refusal.Error{Object: fmt.Sprintf("runner %q", u.removal.Name), Reason: ErrBusy, Name: u.removal.Name, Scope: scope}
		}
	}
	return nil
}

// refuseBusy asks the nearest witness, the runner's own supervisor, whether a job
// runs: GitHub may not be asked at all, and learns of a job a little later.
func (u *uninstaller) refuseBusy() error {
	if u.removal.Force || u.stopped {
		return nil
	}
	report, alive, err := instance.LastReport(u.host.Store, u.removal.Name)
	if err != nil || !alive || report.State != instance.Busy {
		return err
	}
	return &refusal.Error{Object: fmt.Sprintf("runner %q", u.removal.Name), Reason: ErrBusy, Detail: report.Job, Name: u.removal.Name}
}

// lookAgain is for what the supervisor has done before it was stopped: it may have
// registered the runner again, or taken it away.
func (u *uninstaller) lookAgain(ctx context.Context) error {
	record, err := u.host.Store.Load(u.removal.Name)
	if err != nil {
		return err
	}
	u.record.PendingDeletes = record.PendingDeletes
	settings, err := u.kept().Settings()
	if errors.Is(err, register.ErrNotConfigured) {
		u.configured = false
	}
	known := err != nil || settings.ID == u.id || !strings.EqualFold(settings.Name, u.record.Name)
	if known && !record.Renewing && (record.RunnerID == u.id || record.RunnerID == 0) {
		return nil
	}
	u.record.RunnerID, u.record.Renewing = record.RunnerID, record.Renewing
	u.stopped, u.listed = true, false
	return u.look(ctx)
}

// pendingOf are the ids that are to be deleted, once the record is to say another.
func pendingOf(record instance.Record) []int64 {
	if record.RunnerID == 0 || slices.Contains(record.PendingDeletes, record.RunnerID) {
		return record.PendingDeletes
	}
	return append(slices.Clone(record.PendingDeletes), record.RunnerID)
}
