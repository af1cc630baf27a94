package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

// look finds out what there is to take away, and refuses what must not be.
func (u *uninstaller) look(ctx context.Context) error {
	settings, err := u.kept().Settings()
	u.id, u.configured = u.record.RunnerID, false
	// What is kept is never older than the record's id: it is kept first, and noted then.
	if err == nil && (settings.ID == u.id || strings.EqualFold(settings.Name, u.record.Name)) {
		u.id, u.configured = settings.ID, settings.URL != ""
	}
	if err := u.refuseBusy(ctx); err != nil {
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

// hearTime is how long an agent may take to hear of the end of a job that GitHub knows to be over.
const hearTime = 3 * time.Second

// refuseBusy asks the nearest witness, the runner's own agent, whether a job runs: GitHub may not be asked at all, and learns of its
// beginning a little later. Of its end GitHub learns first: then the agent is waited for.
func (u *uninstaller) refuseBusy(ctx context.Context) error {
	if u.removal.Force || u.stopped {
		return nil
	}
	name, over := u.removal.Name, false
	for begun := time.Now(); ; {
		report, alive, err := instance.LastReport(u.host.Store, name)
		if err != nil || !alive || report.State != instance.Busy {
			return err
		}
		if over = over || u.idleAtGitHub(ctx); !over || time.Since(begun) > hearTime {
			return &refusal.Error{Object: fmt.Sprintf("runner %q", name), Reason: ErrBusy, Detail: report.Job, Name: name}
		}
		if err := retry.Sleep(ctx, lookEach); err != nil {
			return fmt.Errorf("waiting until the agent of runner %q has heard of the end of its job: %w", name, err)
		}
	}
}

// idleAtGitHub tells whether GitHub says that the runner runs no job, or lists it no more. If in doubt, the answer is no.
func (u *uninstaller) idleAtGitHub(ctx context.Context) bool {
	scope, err := register.ScopeOf(u.record)
	if err != nil || u.removal.SkipGitHub || u.host.Connect == nil {
		return false
	}
	runners, err := u.host.Connect(scope).Runners(ctx, u.record.Name)
	return err == nil && !slices.ContainsFunc(runners, func(r github.Runner) bool { return r.Busy })
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
