package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// planRegister compares the registration that is kept with GitHub's list.
func (p *planner) planRegister(ctx context.Context) error {
	object := fmt.Sprintf("%s at %s", p.plan.Name, p.plan.ScopeURL)
	if !p.whole {
		return p.planJoin(ctx, object, "not registered yet")
	}
	settings, err := register.KeptOf(p.maker.Store, p.Record).Find()
	if errors.Is(err, register.ErrNotConfigured) {
		if p.betweenLives() || awaited(p) {
			p.plan.keep(RegisterPhase, object, "its agent registers it again")
			return nil
		}
		return p.planJoin(ctx, object, "not registered yet")
	}
	if err != nil {
		return err
	}
	reason := fmt.Sprintf("registered already, id %d", settings.ID)
	if p.client == nil {
		reason += "; GitHub was not asked"
	} else if _, err = p.client.Runner(ctx, settings.ID); errors.Is(err, github.ErrNotFound) {
		if p.known && !p.Record.Credential.Empty() && !p.Record.PreRegistered && running(p.maker.Store, p.plan.Name) {
			p.plan.keep(RegisterPhase, object, "GitHub no longer lists it, and its agent registers it again")
			return nil
		}
		return p.planJoin(ctx, object, "GitHub no longer lists it")
	} else if err != nil {
		return err
	}
	if !running(p.maker.Store, p.plan.Name) {
		p.Record.RunnerID = settings.ID
	}
	if p.Request.JIT != nil {
		return p.planAdopt(settings, object, reason)
	}
	if names := p.Record.Differs(p.Request.Identity); len(names) > 0 {
		stays, err := relabels(ctx, p, settings.ID)
		if err != nil {
			return err
		}
		if !stays {
			return p.planAgain(object, strings.Join(names, ", "))
		}
	}
	p.plan.keep(RegisterPhase, object, reason)
	return nil
}

// planAgain has a runner leave and join again, as it is registered with other
// options than it is to have now.
func (p *planner) planAgain(object, differing string) error {
	if p.Request.Replace == ReplaceNone {
		return &refusal.Error{
			Object: fmt.Sprintf("runner %q on this host", p.plan.Name), Reason: ErrDiffers, Detail: differing, Name: p.plan.Name,
		}
	}
	if p.client == nil {
		return &refusal.Error{
			Object: fmt.Sprintf("registering runner %q again", p.plan.Name), Reason: github.ErrNoCredential,
			Detail: "a registration token cannot take it away first", Name: p.plan.Name, Scope: p.Request.Scope,
		}
	}
	if p.Record.Service == "" {
		if err := CheckAtRest(p.maker.Store, p.plan.Name); err != nil {
			return err
		}
	}
	p.LeaveFirst = true
	p.plan.change(RegisterPhase, object, "registered with other "+differing)
	return nil
}

// CheckAtRest refuses to take a registration from under a supervisor: that of a service can be stopped before and started
// again, one that somebody has started cannot.
func CheckAtRest(store *instance.Store, name string) error {
	holder, err := store.Running(name)
	if err != nil || holder.None() {
		return err
	}
	return &refusal.Error{
		Object: fmt.Sprintf("runner %q on this host", name), Reason: ErrAtWork, Detail: holder.String(), Name: name,
	}
}

// running tells whether a supervisor of this runner is alive: what concerns the
// registration is its business then.
func running(store *instance.Store, name string) bool {
	holder, err := store.Running(name)
	return err == nil && !holder.None()
}

// betweenLives tells whether an ephemeral runner's supervisor is about to register
// it again.
func (p *planner) betweenLives() bool {
	return p.known && (p.Record.Ephemeral || p.Record.JIT) && !p.Record.Credential.Empty() && running(p.maker.Store, p.plan.Name)
}

// planAdopt compares the registration on disk with the one that was brought.
// An ephemeral runner that waits or works is not taken its registration.
func (p *planner) planAdopt(settings register.Settings, object, reason string) error {
	running, err := p.maker.Store.Running(p.plan.Name)
	if err != nil {
		return err
	}
	switch {
	case settings.ID == p.Request.JIT.Settings.ID:
		p.plan.keep(RegisterPhase, object, reason)
		return nil
	case settings.Ephemeral && running.None() || p.Request.Replace != ReplaceNone:
		if p.Record.Service == "" {
			if err := CheckAtRest(p.maker.Store, p.plan.Name); err != nil {
				return err
			}
		}
		p.StopFirst = true
		p.plan.change(RegisterPhase, object, fmt.Sprintf("registered as id %d before", settings.ID))
		return nil
	}
	return &refusal.Error{
		Object: fmt.Sprintf("runner %q on this host", p.plan.Name), Reason: ErrDiffers,
		Detail: fmt.Sprintf("it is registered as id %d, not as %d", settings.ID, p.Request.JIT.Settings.ID), Name: p.plan.Name,
	}
}

// planJoin makes sure that the name is free at GitHub before anything is done
// for it. This look is also what later tells a runner that an interrupted run
// of ours left there from a stranger's: a record in phase Registering was
// written after the name had been seen free, but for the runners that were to be
// replaced.
func (p *planner) planJoin(ctx context.Context, object, reason string) error {
	if jit := p.Request.JIT; jit != nil {
		if p.Record.RunnerID == jit.Settings.ID && p.Record.Phase == instance.Installed {
			return &refusal.Error{
				Object: fmt.Sprintf("runner %q on this host", p.plan.Name), Reason: ErrSpent,
				Detail: fmt.Sprintf("id %d", jit.Settings.ID), Name: p.plan.Name, Scope: p.Request.Scope,
			}
		}
		p.plan.change(RegisterPhase, object, fmt.Sprintf("by its just-in-time configuration, id %d", jit.Settings.ID))
		return nil
	}
	if port := p.Request.Scope.Port(); port != "" && !p.Request.Identity.JIT {
		p.plan.warn(register.Program + " leaves out the port of --url, " + port + ", and asks " + p.Request.Scope.Server() +
			" without it; just-in-time configurations (--jit) do not need it")
	}
	if p.client == nil {
		p.plan.change(RegisterPhase, object, reason+"; GitHub was not asked")
		return nil
	}
	runners, err := p.client.Runners(ctx, p.plan.Name)
	if err != nil {
		return err
	}
	for _, runner := range runners {
		ours := register.Claims(p.Record, runner)
		if !ours {
			p.Strangers = append(p.Strangers, runner.ID)
		}
		if ours && !runner.Online() {
			p.Abandoned, reason = runner.ID, "an interrupted run left it at GitHub"
			continue
		}
		if err := p.Request.MayReplace(p.plan.Name, runner); err != nil {
			return err
		}
		reason += "; replaces id " + register.StateOf(runner)
	}
	p.plan.change(RegisterPhase, object, reason)
	return nil
}

// MayReplace refuses to replace a runner of this name that GitHub lists, by what is wanted and by how it is.
func (r Request) MayReplace(name string, runner github.Runner) error {
	reason := register.ErrNameListed
	switch {
	case r.Replace == ReplaceAlways, r.Replace == ReplaceOffline && register.Offline(runner):
		return nil
	case r.Replace == ReplaceOffline:
		reason = register.ErrNameAtWork
	}
	return &refusal.Error{
		Object: fmt.Sprintf("runner %q", name), Reason: reason, Detail: "id " + register.StateOf(runner), Name: name, Scope: r.Scope,
	}
}
