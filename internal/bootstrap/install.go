package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// undoTime bounds what is put right after a failure, also when the user has
// interrupted or the time given is over.
const undoTime = 30 * time.Second

// Install makes this host what the request wants, and returns the plan that it
// followed. It may be repeated at any time: phases that are done are kept, an
// interrupted run, even a killed one, is continued. After a failure there is
// either nothing or what the record says.
func (h *Host) Install(ctx context.Context, r Request) (*Plan, error) {
	lock, err := h.lock(ctx, r)
	if err != nil {
		return nil, err
	}
	defer h.unlock(lock)

	var plan *Plan
	err = h.phase(PlanPhase, r.Scope.String(), func() (string, error) {
		plan, err = h.MakePlan(ctx, r)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("runner %s in %s", plan.Name, plan.Dir), nil
	})
	if err != nil {
		return nil, err
	}
	i := &installer{Host: h, Plan: plan, client: h.Connect(r.Scope), lock: lock}
	do := map[Phase]func(context.Context) (string, error){
		AccountPhase:     i.createAccount,
		FetchPhase:       i.fetch,
		EnvironmentPhase: i.writeEnvironment,
		RegisterPhase:    i.register,
		ServicePhase:     i.service,
	}
	for _, step := range plan.Steps {
		if !step.Change {
			h.Observer.Begin(step.Phase, step.Object)
			h.Observer.End(step.Phase, step.Reason, true, nil)
			continue
		}
		if err := h.phase(step.Phase, step.Object, func() (string, error) { return do[step.Phase](ctx) }); err != nil {
			return nil, err
		}
	}
	return plan, i.finish()
}

// lock refuses to make a state directory where that is not allowed anyway.
func (h *Host) lock(ctx context.Context, r Request) (*instance.Lock, error) {
	if !h.Private && !account.Privileged() {
		return nil, &RefusedError{Object: "installing for " + r.Scope.String(), Reason: ErrPrivilege}
	}
	return h.Store.LockHost(ctx)
}

// installer carries one plan out.
type installer struct {
	*Host
	*Plan
	client *github.Client
	lock   *instance.Lock
}

// save writes the record before the phase that it announces.
func (i *installer) save(phase instance.Phase) error {
	i.record.Phase, i.record.User = phase, i.User
	return i.Store.Save(i.record)
}

// finish notes that nothing is left to do. A record that says so already is not
// touched.
func (i *installer) finish() error {
	if i.record.Phase == instance.Installed && !i.Changes() {
		return nil
	}
	return i.save(instance.Installed)
}

func (i *installer) createAccount(ctx context.Context) (string, error) {
	user, err := account.Create(ctx, i.User)
	if err != nil {
		return "", err
	}
	i.jobUser = user
	return fmt.Sprintf("created, uid %d", user.UID), nil
}

func (i *installer) fetch(ctx context.Context) (string, error) {
	if err := i.save(instance.Planned); err != nil {
		return "", err
	}
	cached, err := i.unpack(ctx)
	if err != nil {
		// Nothing of the runner is on this host, so nothing is remembered.
		return "", errors.Join(err, i.Store.Forget(i.Name))
	}
	i.record.Version, i.record.SHA256 = i.Asset.Version, i.Asset.SHA256
	from := "downloaded"
	if cached {
		from = "from the cache"
	}
	return fmt.Sprintf("version %s, SHA-256 verified, %s", i.Asset.Version, from), i.save(instance.Fetched)
}

func (i *installer) unpack(ctx context.Context) (cached bool, err error) {
	archive, cached, err := i.Fetcher.Fetch(ctx, *i.Asset, i.Observer.Progress)
	if err != nil {
		return false, err
	}
	// What is there is ours, by the record, and incomplete, by the plan.
	if err := download.Discard(i.Dir); err != nil {
		return false, err
	}
	owner := download.Owner{UID: i.jobUser.UID, GID: i.jobUser.GID, Keep: i.jobUser.Self}
	return cached, download.Unpack(ctx, archive, i.Dir, owner)
}

func (i *installer) writeEnvironment(context.Context) (string, error) {
	variables := append(append([]string{}, i.Environment...), i.request.Variables...)
	if _, err := register.WriteEnvironment(i.Dir, i.jobUser, variables); err != nil {
		return "", err
	}
	return strings.Join(variableNames(variables), ", "), nil
}

// variableNames leaves out the values: they may be secrets of the jobs'.
func variableNames(variables []string) []string {
	names := make([]string, 0, len(variables))
	for _, variable := range variables {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	return names
}

// register joins GitHub. The record announces it first, so that whoever comes
// after a kill knows that GitHub may list the runner.
func (i *installer) register(ctx context.Context) (string, error) {
	runner := i.runner(i.record, i.jobUser, i.lock.File())
	if err := i.leaveFirst(ctx, runner); err != nil {
		return "", err
	}
	token, err := i.client.RegistrationToken(ctx)
	if err != nil {
		return "", err
	}
	i.record.Identity, i.record.RunnerID = i.request.Identity, 0
	if err := i.save(instance.Registering); err != nil {
		return "", err
	}
	settings, err := runner.Join(ctx, i.ScopeURL, i.Name, register.Identity(i.request.Identity), i.request.Replace, token.Value)
	if err != nil {
		return "", errors.Join(err, i.undoRegistration(ctx, err))
	}
	i.record.RunnerID = settings.ID
	return fmt.Sprintf("id %d", settings.ID), i.save(instance.Registered)
}

// leaveFirst clears the way: an earlier registration with other options, or one
// that an interrupted run left at GitHub.
func (i *installer) leaveFirst(ctx context.Context, runner register.Runner) error {
	if i.ghost != 0 {
		return i.client.DeleteRunner(ctx, i.ghost)
	}
	if !i.leave {
		return nil
	}
	if i.record.Service != "" {
		service, err := svc.Named(i.record.Service)
		if err != nil {
			return err
		}
		if err := service.Stop(ctx); err != nil {
			return err
		}
	}
	token, err := i.client.RemoveToken(ctx)
	if err != nil {
		return err
	}
	return runner.Leave(ctx, token.Value)
}

// undoRegistration takes away what a failed config.sh may have left at GitHub:
// a runner that never connected, under a name that was free. A name that was
// taken in the meantime is somebody else's.
func (i *installer) undoRegistration(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if err := register.Forget(i.Dir); err != nil {
		return err
	}
	if !errors.Is(cause, register.ErrNameTaken) {
		runners, err := i.client.Runners(ctx, i.Name)
		if err != nil {
			return nil //nolint:nilerr // the record still says Registering: the next run looks again
		}
		for _, runner := range runners {
			if !abandoned(runner) || i.request.Replace {
				continue
			}
			if err := i.client.DeleteRunner(ctx, runner.ID); err != nil {
				return err
			}
		}
	}
	return i.save(instance.Fetched)
}
