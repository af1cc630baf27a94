package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
)

// Install makes this host what the request wants, and returns the plan that it followed. It may be repeated at any time:
// phases that are done are kept, an interrupted run, even a killed one, is continued. After a failure there is either
// nothing or what the record says.
func (h *Host) Install(ctx context.Context, r plan.Request) (*plan.Plan, error) {
	lock, err := h.lock(ctx, "installing for "+r.Scope.String())
	if err != nil {
		return nil, err
	}
	defer h.unlock(lock)
	h.Fetcher.SyncLater = true // what is left is waited for at the end
	var made *plan.Plan
	err = h.phase(plan.PlanPhase, r.Scope.String(), func() (string, error) {
		made, err = h.Planner().Make(ctx, r)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("runner %s in %s", made.Name, made.Dir), nil
	})
	if err != nil {
		return nil, err
	}
	for _, warning := range made.Warnings {
		h.Log.Warn(warning, "runner", made.Name) //nolint:sloglint // a sentence of the plan's
	}
	if h.Agree != nil {
		if err := h.Agree(ctx, made); err != nil {
			return nil, err
		}
	}
	i, err := h.installer(made, lock)
	if err != nil {
		return nil, err
	}
	defer endAhead(i)
	if err := i.kept().Adopt(ctx, i.client); err != nil {
		return nil, err
	}
	if made.Changes() {
		h.tellOnce(i.record, health.EventInstalling)
	}
	do := phasesOf(i)
	for _, step := range made.Steps {
		if !step.Change {
			h.Observer.Begin(step.Phase, step.Object)
			h.Observer.End(step.Phase, step.Reason, true, nil)
			continue
		}
		if err := h.phase(step.Phase, step.Object, func() (string, error) { return do[step.Phase](ctx) }); err != nil {
			return nil, i.former.RunAgain(ctx, i.jobUser, err)
		}
	}
	made.Registered(i.record.RunnerID)
	return made, i.finish(ctx)
}

// lock takes the host's lock for what object says. It refuses to make a state directory where that is not allowed anyway.
func (h *Host) lock(ctx context.Context, object string) (*instance.Lock, error) {
	if !h.Private && !account.Privileged() {
		return nil, &refusal.Error{Object: object, Reason: account.ErrPrivilege}
	}
	if err := places.CheckState(h.Paths); err != nil {
		return nil, err
	}
	lock, err := h.Store.LockHost(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.sweepRooms(ctx); err != nil {
		lock.Release()
		return nil, err
	}
	return lock, nil
}

// installer carries one plan out.
type installer struct {
	host    *Host
	lock    *instance.Lock
	plan    *plan.Plan
	details plan.Details    // of the plan
	record  instance.Record // the runner's, as far as the phases have come
	jobUser account.User
	service startup.Service // nil without one
	client  *github.Client  // nil where the request brings what registers
	ahead   chan issued     // nil if no token was asked for ahead
	// stopAhead gives that up; nil if there is nothing to give up.
	stopAhead context.CancelFunc
	removal   github.Token // takes the earlier registration away
	former    startup.Former
}

// installer prepares what carries a plan out while the host's lock is held.
func (h *Host) installer(made *plan.Plan, lock *instance.Lock) (*installer, error) {
	d := made.Details
	i := &installer{
		host: h, lock: lock, plan: made, details: d, record: d.Record, jobUser: d.JobUser,
		former: startup.Former{Store: h.Store, Log: h.Log, Record: d.Found},
	}
	if h.Connect != nil {
		i.client = h.Connect(d.Request.Scope)
	}
	if made.ServiceName == "" {
		return i, nil
	}
	var err error
	i.service, err = h.Services.Describe(d.Unit)
	return i, err
}

// save writes the record before the phase that it announces.
func (i *installer) save(phase instance.Phase) error {
	i.record.Phase, i.record.User = phase, i.plan.User
	i.record.Machine = i.host.Machine.Learn(i.record.Machine, i.host.cloud.Known())
	return i.host.Store.Save(i.record)
}

// finish notes that nothing is left to do, and that a power cut will not undo
// it. A record that says so already is not touched.
func (i *installer) finish(ctx context.Context) error {
	told := i.details.Request.Earlier.Options
	if i.record.Phase == instance.Installed && !i.plan.Changes() && instance.SameOptions(i.record.Options, told) {
		return nil
	}
	if i.plan.ChangesIn(plan.FetchPhase) {
		if err := i.awaitDisk(); err != nil {
			return err
		}
	}
	return i.note(ctx, instance.Installed)
}

// awaitDisk waits until the runner is on the disk: beside registration and the start of its listener most of it has got there.
func (i *installer) awaitDisk() error {
	told := time.AfterFunc(time.Second, func() {
		i.host.Log.Info("waiting until the runner is on the disk", "runner", i.plan.Name)
	})
	defer told.Stop()
	return i.host.Fetcher.Sync(i.plan.Dir)
}

// note saves what the later phases have decided. The supervisor may be at work by
// now, and what it has noted of the registration stays.
func (i *installer) note(ctx context.Context, phase instance.Phase) error {
	record, err := i.host.Store.Update(ctx, i.plan.Name, func(r *instance.Record) {
		r.Service, r.User, r.Index = i.record.Service, i.plan.User, i.record.Index
		r.Life, r.Credential, r.Environment = i.record.Life, i.record.Credential, i.record.Environment
		r.Source = i.record.Source
		if phase == instance.Installed {
			r.Options = i.details.Request.Earlier.Options // of an install that has failed nothing is kept
		}
		if r.RunnerID == 0 && !r.Renewing {
			r.RunnerID = i.record.RunnerID // found in the runner's directory, where a killed run has left it
		}
		r.Phase = phase
	})
	if err == nil {
		i.record = record
	}
	return err
}

// keepLife remembers how the runner is to be kept. The credential comes first: a
// record that promises one without it would be of no use.
func (i *installer) keepLife(ctx context.Context) (string, error) {
	if err := i.former.RememberCredential(); err != nil {
		return "", err
	}
	if i.details.KeepCredential {
		if err := i.host.Store.KeepCredential(i.plan.Name, i.details.Request.Keep); err != nil {
			return "", err
		}
	}
	if !i.record.Credential.Kept {
		if err := i.host.Store.DropCredential(i.plan.Name); err != nil {
			return "", err
		}
	}
	return plan.LifeWords(i.record), i.note(ctx, instance.Registered)
}

func (i *installer) createAccount(ctx context.Context) (string, error) {
	var groups []string
	if slices.Contains(i.record.Allow, plan.AllowDocker) {
		if _, exists := i.jobUser.Member(plan.DockerGroup); exists {
			groups = []string{plan.DockerGroup}
		}
	}
	user, err := account.Create(ctx, i.plan.User, groups...)
	if err != nil {
		return "", err
	}
	i.jobUser = user
	return fmt.Sprintf("created, uid %d", user.UID), nil
}

func (i *installer) fetch(ctx context.Context) (string, error) {
	if !i.details.Record.Wanted.None() {
		return fetchBeside(ctx, i)
	}
	if err := i.save(instance.Planned); err != nil {
		return "", err
	}
	fetching, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if i.mints() {
		i.mintAhead(ctx, cancel)
	}
	cached, err := i.place(fetching)
	if err != nil {
		if ctx.Err() == nil && fetching.Err() != nil {
			err = context.Cause(fetching) // without a token the rest of the download is of no use
		}
		endAhead(i)
		// Nothing of the runner is on this host, so nothing is remembered.
		return "", errors.Join(err, i.host.Store.Forget(i.plan.Name))
	}
	i.record.Version, i.record.SHA256 = i.plan.Asset.Version, i.plan.Asset.SHA256
	return fetched(*i.plan.Asset, cached), i.save(instance.Fetched)
}

func (i *installer) place(ctx context.Context) (cached bool, err error) {
	// What is there is ours, by the record, and incomplete, by the plan.
	if err := i.host.Fetcher.Discard(ctx, i.plan.Dir); err != nil {
		return false, err
	}
	owner := download.Owner{UID: i.jobUser.UID, GID: i.jobUser.GID, SID: i.jobUser.SID, Keep: i.jobUser.Self, Sticky: i.record.Rooted()}
	for {
		cached, err = i.host.Fetcher.Place(ctx, *i.plan.Asset, i.plan.Dir, owner, i.host.Observer.Progress)
		if !errors.Is(err, download.ErrDamaged) || i.plan.Asset.Fetchable() {
			return cached, err
		}
		// The cache has lost that entry, so the next choice is another one.
		i.host.Log.Warn("a cached runner was damaged", "version", i.plan.Asset.Version, "reason", err.Error())
		chosen, err := i.details.Chooser.Choose(ctx)
		if err != nil {
			return false, err
		}
		i.plan.Asset = &chosen.Asset
	}
}

func (i *installer) writeEnvironment(context.Context) (string, error) {
	if err := i.former.RememberVariables(register.FileOwner(i.record, i.jobUser)); err != nil {
		return "", err
	}
	variables, old := i.details.Variables, i.details.OldVariables
	// Until it is done, what is to go is remembered: the command that comes after a kill drops it.
	if err := i.host.Store.KeepVariables(i.plan.Name, slices.Concat(old, variables)); err != nil {
		return "", err
	}
	if _, err := register.WriteEnvironment(i.plan.Dir, register.FileOwner(i.record, i.jobUser), variables, old); err != nil {
		return "", err
	}
	words := strings.Join(register.VariableNames(variables), ", ")
	if len(old) == 0 {
		return words, nil
	}
	if words != "" {
		words += "; "
	}
	return words + "without " + strings.Join(register.VariableNames(old), ", "), i.host.Store.KeepVariables(i.plan.Name, variables)
}

// endFirst ends what runs of an earlier registration.
func endFirst(ctx context.Context, i *installer) error {
	if i.details.LeaveFirst {
		if err := i.prepareToLeave(ctx); err != nil {
			return err
		}
	}
	if i.details.LeaveFirst || i.details.StopFirst {
		return i.stopFirst(ctx)
	}
	return nil
}

// register joins GitHub. The record announces it first, so that the command that comes
// after a kill knows that GitHub may list the runner.
func (i *installer) register(ctx context.Context) (string, error) {
	asset, err := chooseProgram(ctx, i)
	if err != nil {
		return "", err
	}
	if err := endFirst(ctx, i); err != nil {
		return "", err
	}
	lock, err := i.host.Store.LockRegistration(ctx, i.plan.Name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	if already, id, err := i.joinedMeanwhile(); already || err != nil {
		return fmt.Sprintf("id %d, by its supervisor", id), err
	}
	joiner := i.joiner(asset, lock)
	if err := i.leaveFirst(ctx, joiner.Room); err != nil {
		return "", err
	}
	if i.details.Request.JIT != nil {
		return i.adopt()
	}
	if i.details.Waits != "" {
		return leaveToAgent(ctx, i)
	}
	var token register.Token
	if !i.details.Request.Identity.JIT {
		if token, err = i.registrationToken(ctx); err != nil {
			return "", err
		}
	}
	if err := vacate(ctx, i); err != nil {
		return "", err
	}
	identify(&i.record, i.details.Request.Identity)
	i.record.ResolvedLabels = i.details.Labels
	i.record.RunnerID, i.record.PendingDeletes = 0, nil
	i.record.Renewing, i.record.PreRegistered, i.record.Before = false, false, i.details.Strangers
	// Registering claims a runner of this name that was never started. Where nobody
	// looked whether the name is free, it may be a stranger's.
	announced := instance.Registering
	if i.client == nil {
		announced = instance.Fetched
	}
	if err := i.save(announced); err != nil {
		return "", err
	}
	joiner.Record = i.record
	settings, err := joiner.JoinWith(ctx, token)
	if err != nil {
		return "", errors.Join(err, i.undoRegistration(ctx, err))
	}
	i.record.RunnerID, i.record.Before = settings.ID, nil
	if err := i.save(instance.Registered); err != nil {
		return "", err
	}
	i.host.tellOnce(i.record, health.EventRegistered)
	return fmt.Sprintf("id %d", settings.ID), nil
}

// adopt takes over the registration that the request brings. GitHub lists the
// runner already, so the record says so first.
func (i *installer) adopt() (string, error) {
	settings := i.details.Request.JIT.Settings
	identify(&i.record, instance.Identity{Work: settings.Work, Ephemeral: settings.Ephemeral})
	i.record.RunnerID, i.record.PreRegistered = settings.ID, true
	if err := i.save(instance.Fetched); err != nil {
		return "", err
	}
	if _, err := i.kept().Take(*i.details.Request.JIT); err != nil {
		return "", err
	}
	return fmt.Sprintf("id %d, by its just-in-time configuration", settings.ID), i.save(instance.Registered)
}

// undoRegistration takes away what a failed registration may have left. Where GitHub
// cannot be asked, the record goes on saying that it may list a runner.
func (i *installer) undoRegistration(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startup.UndoTime)
	defer cancel()
	if settled, err := i.kept().Undo(ctx, i.client, cause, i.host.Log); err != nil || !settled {
		return err
	}
	i.record.Before = nil
	return i.save(instance.Fetched)
}
