package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// planRegister compares the registration on disk with GitHub's list.
func (p *planner) planRegister(ctx context.Context) error {
	object := fmt.Sprintf("%s at %s", p.plan.Name, p.plan.ScopeURL)
	if !p.whole {
		return p.planJoin(ctx, object, "not registered yet")
	}
	settings, err := register.ReadSettings(p.plan.Dir)
	if errors.Is(err, register.ErrNotConfigured) {
		if p.betweenLives() {
			p.plan.keep(RegisterPhase, object, "its supervisor registers it anew")
			return nil
		}
		return p.planJoin(ctx, object, "not registered yet")
	}
	if err != nil {
		return err
	}
	// A just-in-time configuration does not say where it belongs.
	elsewhere := settings.URL != "" && !p.request.Scope.Same(settings.URL)
	if elsewhere || !strings.EqualFold(settings.Name, p.plan.Name) && settings.ID != p.record.RunnerID {
		return &refusal.Error{
			Object: fmt.Sprintf("directory %q", p.plan.Dir), Reason: ErrForeign,
			Detail: fmt.Sprintf("%s at %s", settings.Name, settings.URL), Name: p.plan.Name,
		}
	}
	reason := fmt.Sprintf("registered already, id %d", settings.ID)
	if p.client == nil {
		reason += "; GitHub was not asked"
	} else if _, err = p.client.Runner(ctx, settings.ID); errors.Is(err, github.ErrNotFound) {
		if p.known && !p.record.Credential.Empty() && !p.record.PreRegistered && running(p.host.Store, p.plan.Name) {
			p.plan.keep(RegisterPhase, object, "GitHub no longer lists it, and its supervisor registers it anew")
			return nil
		}
		return p.planJoin(ctx, object, "GitHub no longer lists it")
	} else if err != nil {
		return err
	}
	if !running(p.host.Store, p.plan.Name) {
		p.record.RunnerID = settings.ID
	}
	if p.request.JIT != nil {
		return p.planAdopt(settings, object, reason)
	}
	if names := p.record.Differs(p.request.Identity); len(names) > 0 {
		return p.planAnew(object, strings.Join(names, ", "))
	}
	p.plan.keep(RegisterPhase, object, reason)
	return nil
}

// planAnew has a runner leave and join again, as it is registered with other
// options than it is to have now.
func (p *planner) planAnew(object, differing string) error {
	if !p.request.Replace {
		return &refusal.Error{
			Object: fmt.Sprintf("runner %q on this host", p.plan.Name), Reason: ErrDiffers, Detail: differing, Name: p.plan.Name,
		}
	}
	if p.client == nil {
		return &refusal.Error{
			Object: fmt.Sprintf("registering runner %q anew", p.plan.Name), Reason: github.ErrNoCredential,
			Detail: "a registration token cannot take it away first", Name: p.plan.Name, Scope: p.request.Scope,
		}
	}
	if p.record.Service == "" {
		if err := atWork(p.host.Store, p.plan.Name); err != nil {
			return err
		}
	}
	p.leave = true
	p.plan.change(RegisterPhase, object, "registered with other "+differing)
	return nil
}

// atWork refuses to take a registration from under a supervisor: that of a service can be stopped before and started
// again, one that somebody has started cannot.
func atWork(store *instance.Store, name string) error {
	pid, err := store.Running(name)
	if err != nil || pid == 0 {
		return err
	}
	return &refusal.Error{
		Object: fmt.Sprintf("runner %q on this host", name), Reason: ErrAtWork, Detail: fmt.Sprintf("process %d", pid), Name: name,
	}
}

// running tells whether a supervisor of this runner is alive: what concerns the
// registration is its business then.
func running(store *instance.Store, name string) bool {
	pid, err := store.Running(name)
	return err == nil && pid != 0
}

// betweenLives tells whether an ephemeral runner's supervisor is about to register
// it anew.
func (p *planner) betweenLives() bool {
	return p.known && (p.record.Ephemeral || p.record.JIT) && !p.record.Credential.Empty() && running(p.host.Store, p.plan.Name)
}

// planAdopt compares the registration on disk with the one that was brought.
// An ephemeral runner that waits or works is not taken its registration.
func (p *planner) planAdopt(settings register.Settings, object, reason string) error {
	running, err := p.host.Store.Running(p.plan.Name)
	if err != nil {
		return err
	}
	switch {
	case settings.ID == p.request.JIT.Settings.ID:
		p.plan.keep(RegisterPhase, object, reason)
		return nil
	case settings.Ephemeral && running == 0 || p.request.Replace:
		if p.record.Service == "" {
			if err := atWork(p.host.Store, p.plan.Name); err != nil {
				return err
			}
		}
		p.stop = true
		p.plan.change(RegisterPhase, object, fmt.Sprintf("registered as id %d before", settings.ID))
		return nil
	}
	return &refusal.Error{
		Object: fmt.Sprintf("runner %q on this host", p.plan.Name), Reason: ErrDiffers,
		Detail: fmt.Sprintf("it is registered as id %d, not as %d", settings.ID, p.request.JIT.Settings.ID), Name: p.plan.Name,
	}
}

// planJoin makes sure that the name is free at GitHub before anything is done
// for it. This look is also what later tells a runner that an interrupted run
// of ours left there from a stranger's: a record in phase Registering was
// written after the name had been seen free, but for the runners that were to be
// replaced.
func (p *planner) planJoin(ctx context.Context, object, reason string) error {
	if jit := p.request.JIT; jit != nil {
		if p.record.RunnerID == jit.Settings.ID && p.record.Phase == instance.Installed {
			return &refusal.Error{
				Object: fmt.Sprintf("runner %q on this host", p.plan.Name), Reason: ErrSpent,
				Detail: fmt.Sprintf("id %d", jit.Settings.ID), Name: p.plan.Name, Scope: p.request.Scope,
			}
		}
		p.plan.change(RegisterPhase, object, fmt.Sprintf("by its just-in-time configuration, id %d", jit.Settings.ID))
		return nil
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
		ours := register.Claims(p.record, runner)
		if !ours {
			p.before = append(p.before, runner.ID)
		}
		switch {
		case ours && !runner.Online():
			p.ghost, reason = runner.ID, "an interrupted run left it at GitHub"
		case !p.request.Replace:
			return &refusal.Error{
				Object: fmt.Sprintf("runner %q", p.plan.Name), Reason: register.ErrNameListed,
				Detail: fmt.Sprintf("id %d, %s", runner.ID, runner.Status), Name: p.plan.Name, Scope: p.request.Scope,
			}
		}
	}
	p.plan.change(RegisterPhase, object, reason)
	return nil
}

// checkFiles refuses what the service could not find: in its sandbox it has
// temporary folders of its own.
func checkFiles(record instance.Record, within svc.Sandbox) error {
	if !within.PrivateTemp() {
		return nil
	}
	c, l := record.Credential, record.Life
	for _, file := range []string{c.TokenFile, c.AppKeyFile, l.WebhookSecret, l.MetricsFile} {
		if file != "" && temporary(file) {
			return &refusal.Error{Object: fmt.Sprintf("a service that needs %q", file), Reason: ErrPrivateTemp, Name: file}
		}
	}
	return nil
}

// planService compares the unit with what we would write.
func (p *planner) planService(ctx context.Context) error {
	if !p.request.Service {
		if p.record.Service != "" {
			p.plan.change(ServicePhase, p.record.Service, "it is to go")
		}
		return nil
	}
	p.plan.ServiceName = serviceName(p.request.Scope, p.plan.Name)
	p.record.User = p.plan.User
	if err := checkFiles(p.record, sandbox(p.host.Paths, p.record, p.jobUser)); err != nil {
		return err
	}
	record := p.record
	record.Work = p.request.wantedWork() // as it will be registered
	unit, err := p.host.Services.Describe(p.host.describe(p.plan.ServiceName, record, p.jobUser))
	if err != nil {
		return err
	}
	p.service = unit
	state, err := unit.State(ctx)
	if err != nil {
		return err
	}
	if state.Active != svc.Absent && p.record.Service != p.plan.ServiceName {
		// GitHub's own installer gives the same names, and so does an install in
		// another directory.
		return &refusal.Error{
			Object: fmt.Sprintf("installing service %q", p.plan.ServiceName), Reason: ErrForeignService,
			Detail: state.UnitPath, Name: p.plan.ServiceName,
		}
	}
	switch {
	case state.Active == svc.Absent || !state.Installed:
		p.plan.change(ServicePhase, p.plan.ServiceName, "not installed yet")
	case !state.AsDescribed || !state.Enabled:
		p.plan.change(ServicePhase, p.plan.ServiceName, "its unit differs")
	case p.plan.changes(RegisterPhase) || p.plan.changes(EnvironmentPhase) || p.plan.changes(WorkPhase) || p.plan.changes(LifePhase):
		p.plan.change(ServicePhase, p.plan.ServiceName, "what it runs has changed")
	case state.Active != svc.Running:
		p.plan.change(ServicePhase, p.plan.ServiceName, "it is "+string(state.Active))
	default:
		p.plan.keep(ServicePhase, p.plan.ServiceName, "running already")
	}
	return nil
}
